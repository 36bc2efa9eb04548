// Ranks as threads of one process, with a device each, all opened before they start: sums of gradients to the bit in
// the order of ranks, what else they tell each other, and how a step's texts are divided.
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gradient_exchange.h"
#include "on_device.h"
#include "rank_share.h"

enum { MOST_RANKS = 4 };

// ---- a transport: a list of letters, numbered for each pair of ranks and tag, as those who wait for them are

typedef struct letter {
    struct letter *next;
    int from, to, tag;
    unsigned number;
    size_t bytes;
    unsigned char content[];
} letter;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static letter *letters;
static unsigned sent[MOST_RANKS][MOST_RANKS][EBM_TAG_COUNT],
    wanted[MOST_RANKS][MOST_RANKS][EBM_TAG_COUNT]; // [from][to]

typedef struct {
    void *to;
    size_t bytes;
    int from, own, tag;
    unsigned number;
} awaited;

static ebm_status send_letter(void *context, const void *from, size_t bytes, int to, int tag, ebm_transfer *transfer)
{
    const int own = *(const int *)context;
    letter *l = malloc(sizeof *l + bytes), **end = &letters;
    if (!l) return ebm_fail(EBM_ERROR_MEMORY, "-");
    *l = (letter){.from = own, .to = to, .tag = tag, .number = sent[own][to][tag]++, .bytes = bytes};
    if (bytes > 0) memcpy(l->content, from, bytes);
    pthread_mutex_lock(&lock);
    while (*end) end = &(*end)->next;
    *end = l;
    pthread_mutex_unlock(&lock);
    *transfer = (ebm_transfer){0}; // copied: done
    return ebm_ok();
}

static ebm_status receive_letter(void *context, void *to, size_t bytes, int from, int tag, ebm_transfer *transfer)
{
    const int own = *(const int *)context;
    awaited *a = malloc(sizeof *a);
    if (!a) return ebm_fail(EBM_ERROR_MEMORY, "-");
    *a = (awaited){to, bytes, from, own, tag, wanted[from][own][tag]++};
    transfer->handle[0] = a;
    return ebm_ok();
}

static bool fetch(const awaited *a)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (letter **l = &letters; *l && !found; l = &(*l)->next) {
        letter *const one = *l;
        if (one->from != a->from || one->to != a->own || one->tag != a->tag || one->number != a->number) continue;
        found = true;
        if (one->bytes != a->bytes) abort();
        if (a->bytes > 0) memcpy(a->to, one->content, a->bytes);
        *l = one->next;
        free(one);
        break;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static ebm_status test_letters(void *context, ebm_transfer *transfers, size_t count, bool *done)
{
    *done = true;
    for (size_t i = 0; i < count; i++) {
        awaited *a = transfers[i].handle[0];
        if (!a) continue;
        if (fetch(a)) {
            free(a);
            transfers[i] = (ebm_transfer){0};
        } else {
            *done = false;
        }
    }
    return ebm_ok();
}

// ---- threads

typedef struct member {
    ebm_ranks ranks;
    ebm_status status;
    ebm_status (*work)(const struct member *member);
    // For sums of gradients:
    ebm_device *device;
    ebm_parameters *parameters;
    ebm_gradient_exchange *exchange;
    float *values; // as many as the largest tensor has
} member;
static member members[MOST_RANKS];
static int numbers[MOST_RANKS];

static void *run_member(void *argument)
{
    member *m = argument;
    m->status = m->work(m);
    return NULL;
}

static void make_members(int count, ebm_status (*work)(const member *m))
{
    for (int r = 0; r < count; r++) {
        numbers[r] = r;
        members[r] = (member){.ranks = {r, count, r, count, &numbers[r], send_letter, receive_letter, test_letters},
                              .work = work};
    }
}

static void run_members(int count)
{
    pthread_t threads[MOST_RANKS];
    for (int r = 0; r < count; r++) assert_int_equal(pthread_create(&threads[r], NULL, run_member, &members[r]), 0);
    for (int r = 0; r < count; r++) assert_int_equal(pthread_join(threads[r], NULL), 0);
    for (int r = 0; r < count; r++) assert_ok(members[r].status);
    assert_null(letters);
}

// ---- gradients

// More than a bucket, hardly anything, more than one piece of any number of ranks, and odd.
static const size_t COUNTS[] = {1300007, 5, 64, 1100001, 1, 333};
enum { TENSORS = sizeof COUNTS / sizeof *COUNTS };

// Of all sizes, so that another order of sums has other bits.
static float gradient_at(int rank, size_t tensor, size_t i)
{
    uint32_t x = (uint32_t)(i * 2654435761u) ^ (uint32_t)(rank * 40503 + (int)tensor * 977);
    x ^= x >> 13;
    x *= 0x5bd1e995u;
    x ^= x >> 15;
    return ldexpf((float)(int32_t)x, -40 + (int)(x % 17));
}

static ebm_parameters *make_table(ebm_device *on)
{
    ebm_parameters *p = ebm_parameters_create(on, true);
    for (size_t t = 0; p && t < TENSORS; t++) {
        ebm_tensor *tensor = ebm_parameters_tensor(p, COUNTS[t], true);
        ebm_parameters_name(p, tensor, 0, 0, COUNTS[t], EBM_INIT_ZERO, "tensor.%zu", t);
    }
    return p;
}

static ebm_status check_sums(ebm_device *on, ebm_parameters *p, size_t t, int ranks, float *values)
{
    EBM_TRY(ebm_slice_read(on, ebm_parameters_tensor_view(p, t)->gradient, 0, COUNTS[t], values));
    for (size_t i = 0; i < COUNTS[t]; i++) {
        float sum = gradient_at(0, t, i);
        for (int r = 1; r < ranks; r++) sum += gradient_at(r, t, i);
        if (memcmp(&sum, &values[i], sizeof sum) != 0)
            return ebm_fail(EBM_ERROR_DEVICE, "tensor %zu, element %zu: expected %.9g, found %.9g", t, i, (double)sum,
                            (double)values[i]);
    }
    return ebm_ok();
}

// One step: tensors are written from the last one down, and told to be final in parts.
static ebm_status exchange_once(const member *m)
{
    for (size_t t = TENSORS; t-- > 0;) {
        for (size_t i = 0; i < COUNTS[t]; i++) m->values[i] = gradient_at(m->ranks.rank, t, i);
        EBM_TRY(ebm_slice_write(m->device, ebm_parameters_tensor_view(m->parameters, t)->gradient, 0, COUNTS[t],
                                m->values));
        if (t == 3 || t == 1) EBM_TRY(ebm_gradient_exchange_final(m->exchange, t));
    }
    if (m->ranks.rank == 1) usleep(20000); // the others wait
    EBM_TRY(ebm_gradient_exchange_finish(m->exchange));
    for (size_t t = 0; t < TENSORS; t++) EBM_TRY(check_sums(m->device, m->parameters, t, m->ranks.count, m->values));
    return ebm_ok();
}

static ebm_status exchange_twice(const member *m)
{
    EBM_TRY(exchange_once(m));
    return exchange_once(m);
}

static void open_member(member *m)
{
    ebm_arena *all[4];
    assert_ok(ebm_device_open_part(NULL, NULL, (unsigned)m->ranks.rank, (unsigned)m->ranks.count, &m->device));
    m->parameters = make_table(m->device);
    assert_ok(ebm_arena_plan(m->device, all, ebm_parameters_arenas(m->parameters, all), ""));
    assert_ok(ebm_parameters_allocate(m->parameters));
    assert_ok(ebm_gradient_exchange_create(m->device, m->parameters, &m->ranks, &m->exchange));
    m->values = host_array(COUNTS[0], sizeof *m->values);
    const ebm_exchange_statistics s = ebm_gradient_exchange_statistics(m->exchange);
    assert_int_equal(s.buckets, 2);
    assert_int_equal(s.bytes, 4 * (1300007 + 5 + 64 + 1100001 + 1 + 333));
}

static void close_member(member *m)
{
    ebm_gradient_exchange_free(m->exchange);
    ebm_parameters_free(m->parameters);
    ebm_device_free(m->device);
    free(m->values);
}

static void sums_have_the_order_of_ranks(void **state)
{
    for (int count = 2; count <= 3; count++) {
        make_members(count, exchange_twice);
        for (int r = 0; r < count; r++) open_member(&members[r]);
        run_members(count);
        for (int r = 0; r < count; r++) close_member(&members[r]);
    }
}

// ---- words

static ebm_status talk(const member *m)
{
    const ebm_ranks *ranks = &m->ranks;
    double sum[2] = {0.1 * (ranks->rank + 1), 1};
    int all[MOST_RANKS] = {0}, items[7] = {0};
    const size_t first[] = {0, 3, 3, 5, 7}; // the second has none
    EBM_TRY(ebm_ranks_sum(ranks, sum, 2));
    if (sum[0] != ((0.1 * 1 + 0.1 * 2) + 0.1 * 3) + 0.1 * 4 || sum[1] != 4)
        return ebm_fail(EBM_ERROR_DEVICE, "the sums are %.17g and %g", sum[0], sum[1]);
    EBM_TRY(ebm_ranks_gather(ranks, &(int){10 + ranks->rank}, sizeof(int), all));
    for (int r = 0; r < ranks->count; r++)
        if (all[r] != 10 + r) return ebm_fail(EBM_ERROR_DEVICE, "rank %d said %d", r, all[r]);
    for (size_t i = first[ranks->rank]; i < first[ranks->rank + 1]; i++) items[i] = (int)i + 1;
    EBM_TRY(ebm_ranks_share(ranks, items, first, sizeof *items));
    for (int i = 0; i < 7; i++)
        if (items[i] != i + 1) return ebm_fail(EBM_ERROR_DEVICE, "item %d is %d", i, items[i]);
    EBM_TRY(ebm_ranks_same(ranks, 77, "numbers"));
    ebm_status other = ebm_ranks_same(ranks, ranks->rank == 2, "numbers");
    if (other.code != EBM_ERROR_DEVICE || !strstr(other.message, "numbers of ranks 0 and 2 are not the same"))
        return ebm_fail(EBM_ERROR_DEVICE, "other numbers: %s", other.message);
    const bool fails = ranks->rank == 1 || ranks->rank == 3;
    other = ebm_ranks_agree(ranks, fails ? ebm_fail(EBM_ERROR_IO, "disk %d is full", ranks->rank) : ebm_ok());
    if (other.code != EBM_ERROR_IO || strcmp(other.message, "rank 1: disk 1 is full") != 0)
        return ebm_fail(EBM_ERROR_DEVICE, "agreed: %s", other.message);
    return ebm_ranks_agree(ranks, ebm_ok());
}

static void all_hear_the_same(void **state)
{
    make_members(4, talk);
    run_members(4);
}

// ---- shares

static void texts_are_cut_by_tokens(void **state)
{
    const size_t lengths[] = {5, 5, 10, 20, 1, 1, 1, 1, 36}; // 80
    ebm_sequence list[9];
    size_t first[10];
    for (size_t i = 0; i < 9; i++) list[i] = (ebm_sequence){.count = lengths[i]};
    ebm_share_by_tokens(list, 9, 2, first);
    assert_memory_equal(first, ((size_t[]){0, 4, 9}), 3 * sizeof *first); // the text that ends at 40; 41 lies behind
    ebm_share_by_tokens(list, 9, 4, first);
    assert_memory_equal(first, ((size_t[]){0, 3, 4, 8, 9}), 5 * sizeof *first);
    ebm_share_by_tokens(list, 1, 3, first); // one text, three ranks
    assert_memory_equal(first, ((size_t[]){0, 0, 1, 1}), 4 * sizeof *first);
    ebm_share_by_tokens(list, 0, 2, first);
    assert_memory_equal(first, ((size_t[]){0, 0, 0}), 3 * sizeof *first);
}

// Every text of a step is one rank's, with the place it has when one process has them all.
static void a_step_is_divided(void **state)
{
    enum { LABELLED = 5, DATA = 4, NOISE = 9, ALL = LABELLED + DATA + NOISE };
    static int32_t ids[ALL];
    ebm_sequence list[ALL];
    int32_t labels[LABELLED];
    uint64_t before[ALL + 1] = {0};
    for (size_t i = 0; i < ALL; i++) {
        list[i] = (ebm_sequence){.ids = &ids[i], .count = 3 + (i * 7) % 5};
        before[i + 1] = before[i] + list[i].count;
    }
    for (int32_t i = 0; i < LABELLED; i++) labels[i] = i;
    for (int count = 2; count <= 4; count++) {
        size_t next = 0;
        for (int r = 0; r < count; r++) {
            const ebm_ranks ranks = {.rank = r, .count = count};
            ebm_step_texts t = {list, list + LABELLED, list + LABELLED + DATA, labels, LABELLED,
                                DATA, NOISE,           .masked = {0}};
            assert_ok(ebm_step_texts_share(&t, &ranks, false, NOISE));
            assert_true(t.place.labelled == LABELLED && t.place.data == DATA && t.place.noise == NOISE);
            assert_int_equal(t.place.first_sequence, next);
            assert_int_equal(t.place.first_token, before[next]);
            assert_int_equal(t.place.masked_token, before[ALL]);
            for (size_t i = 0; i < t.labelled_count; i++, next++)
                assert_true(t.labelled[i].ids == &ids[next] && t.labels[i] == (int32_t)next);
            for (size_t i = 0; i < t.data_count; i++, next++) assert_ptr_equal(t.data[i].ids, &ids[next]);
            for (size_t i = 0; i < t.noise_count; i++, next++) assert_ptr_equal(t.noise[i].ids, &ids[next]);
        }
        assert_int_equal(next, ALL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_have_the_order_of_ranks),
        cmocka_unit_test(all_hear_the_same),
        cmocka_unit_test(texts_are_cut_by_tokens),
        cmocka_unit_test(a_step_is_divided),
    };
    return cmocka_run_group_tests_name("gradient_exchange", tests, NULL, NULL);
}
