// The backend of our own CPU kernels: which kernel, which tiles.
#include "device_internal.h"
#include "gemm_internal.h"

#include <math.h>

// What a kernel is built with. `columns` bounds tile_n, whose part of a block of B lies in local memory. In bf16 rows
// of A lie there too, a_rows at a time.
typedef struct {
    size_t rows, panel, kc, columns, a_rows;
    int lanes, vectors;
    bool bf16, packed; // packed: B is, before the product
    bool amx;          // bf16 by AMX's tiles
} blocking;

// Rows of a tile: the longer it is, the less often B is packed, which reads memory that lies apart. In fp32 more of A
// than the second-level cache keeps beside B gains nothing, but for a transposed A, which is packed on its way; in bf16
// only a_rows of A lie there at a time.
enum { LONGEST_TILE = 512, LONGEST_TILE_PACKED_A = 2048 };
// Up to here dot products beat packing; measured in fp32: at 16 by a quarter, at 32 not at all. In bf16 packing gains
// 20 % at 13 rows with small weights and loses as much with 30522 rows of them; from 21 on it gains with both. By AMX
// it takes half the time at 16 rows, and as long at 8.
enum { FEW_ROWS = 24, FEW_ROWS_BF16 = 16, FEW_ROWS_AMX = 8 };

// Rows of A in local memory at a time, in bf16: beside a packed B there is room for more.
enum { A_ROWS = 16, MANY_A_ROWS = 64 };

// By AMX: rows of a register tile, and columns of a transposed A packed at a time. More of those make longer runs in
// memory: 32 take 1.4 times as long.
enum { AMX_ROWS = 32, AMX_TN_A_ROWS = 128 };

static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }
static size_t parts(size_t whole, size_t part) { return (whole + part - 1) / part; }

// The three arrays of cl/gemm_cpu.cl or cl/gemm_cpu_bf16.cl with room to align each.
static size_t local_bytes(const blocking *b)
{
    const size_t panels = b->columns / b->panel, steps = b->bf16 ? b->kc / 2 : b->kc;
    const size_t a = b->bf16 ? b->a_rows * (steps + 16) : b->rows * steps;
    const size_t packed = b->packed ? 0 : panels * (b->panel * steps + 16);
    return sizeof(float) * (packed + b->columns + a) + 3 * 128;
}

// Register tiles: 8 x 3 vectors fit the 32 registers of AVX-512, 6 x 2 the 16 of AVX2; of AMX, 2 x 2 tiles of 16 x 16.
static void choose_register_tile(const ebm_device *device, ebm_gemm_form form, bool bf16, blocking *b)
{
    b->bf16 = bf16;
    b->amx = bf16 && device->amx;
    b->lanes = ebm_device_lanes(device);
    b->vectors = b->lanes == 16 && !b->amx ? 3 : 2;
    b->rows = b->amx ? AMX_ROWS : b->lanes == 16 ? 8 : 6;
    b->a_rows = !b->amx ? A_ROWS : form == EBM_GEMM_TN ? AMX_TN_A_ROWS : AMX_ROWS;
    b->panel = (size_t)(b->lanes * b->vectors);
}

typedef struct {
    size_t kc, columns;
} block;

static const block DOT_BLOCKS[] = {{768, 384}, {384, 384}, {256, 192}, {128, 48}, {64, 48}, {32, 48}};
static const block AMX_BLOCKS[] = {{384, 1536}, {768, 768}, {1536, 384}, {384, 384}, {256, 192}, {128, 64}, {32, 32}};

// The first to be tried. In bf16 twice as many steps have as many bytes. AMX multiplies so fast that passes over A and
// C are what takes time: blocks are as long as k, and as wide as they then can be; but where k is tokens C is small,
// and short blocks leave room for it in the second-level cache.
static size_t first_block(const blocking *b, ebm_gemm_form form, size_t k)
{
    if (!b->amx) return b->bf16 ? 0 : 1;
    if (form == EBM_GEMM_TN || k <= 384) return 0;
    return k <= 768 ? 1 : 2;
}

// Blocks: the largest that local memory takes; wide ones read A less often, long ones C.
static ebm_status choose_blocking(const ebm_device *device, ebm_gemm_form form, bool bf16, size_t k, blocking *b)
{
    *b = (blocking){0};
    choose_register_tile(device, form, bf16, b);
    const block *blocks = b->amx ? AMX_BLOCKS : DOT_BLOCKS;
    const size_t count = b->amx ? sizeof AMX_BLOCKS / sizeof *AMX_BLOCKS : sizeof DOT_BLOCKS / sizeof *DOT_BLOCKS;
    const uint64_t available = ebm_device_info_view(device)->local_bytes;
    for (size_t i = first_block(b, form, k); i < count; i++) {
        b->kc = blocks[i].kc;
        b->columns = blocks[i].columns;
        if (local_bytes(b) <= available) return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_UNSUPPORTED, "gemm: the CPU kernels need %zu bytes of local memory, %s has %llu",
                    local_bytes(b), ebm_device_info_view(device)->name, (unsigned long long)available);
}

// Cost of one step (k, or a pair of them) for the slowest compute unit, in vector multiplications: the products,
// padding included, and what packing takes, measured in the same unit. AMX multiplies so fast that packing waits for
// memory.
static double tile_cost(const ebm_product *p, const blocking *b, size_t tile_m, size_t tile_n)
{
    const double pack_b = b->packed ? 0 : p->form == EBM_GEMM_NT ? 8 : b->amx ? 6 : b->bf16 ? 4 : 2;
    const double pack_a = b->amx ? 1 : p->form == EBM_GEMM_TN || b->bf16 ? 0.25 : 0.05;
    const double multiply = b->amx ? 0.125 : 1;
    const unsigned units = ebm_device_info_view(p->device)->compute_units;
    const size_t groups = parts(p->m, tile_m) * parts(p->n, tile_n), rounds = parts(groups, units ? units : 1);
    const double vectors = (double)tile_n / b->lanes, rows = (double)tile_m;
    return (double)rounds * (multiply * rows * vectors + pack_b * vectors + pack_a * rows);
}

static void choose_tile(const ebm_product *p, const blocking *b, size_t *tile_m, size_t *tile_n)
{
    double best = HUGE_VAL;
    const bool packs_a = b->bf16 || p->form == EBM_GEMM_TN;
    const size_t first = parts(p->m, packs_a ? LONGEST_TILE_PACKED_A : LONGEST_TILE);
    for (size_t row_parts = first; row_parts <= 4 * parts(p->m, LONGEST_TILE); row_parts++) {
        const size_t m = round_up(parts(p->m, row_parts), b->bf16 ? b->a_rows : b->rows);
        for (size_t n = b->panel; n <= b->columns && n < p->n + b->panel; n += b->panel) {
            const double cost = tile_cost(p, b, m, n);
            if (cost >= best) continue;
            best = cost;
            *tile_m = m;
            *tile_n = n;
        }
    }
}

static ebm_launch begin(ebm_device *device, ebm_gemm_form form, const blocking *b, const char *kernel)
{
    const int a_transposed = form == EBM_GEMM_TN, b_transposed = form == EBM_GEMM_NT;
    const size_t panels = b->columns / b->panel;
    const char *packed = b->packed ? " -DPACKED" : "";
    if (b->bf16)
        return ebm_launch_begin(
            device, "gemm_cpu_bf16.cl", kernel,
            "-DA_TRANSPOSED=%d -DB_TRANSPOSED=%d -DROWS=%zu -DVECTORS=%d -DKC=%zu -DPANELS=%zu -DA_ROWS=%zu%s%s",
            a_transposed, b_transposed, b->rows, b->vectors, b->kc, panels, b->a_rows, packed, b->amx ? " -DAMX" : "");
    return ebm_launch_begin(device, "gemm_cpu.cl", kernel,
                            "-DA_TRANSPOSED=%d -DB_TRANSPOSED=%d -DROWS=%zu -DVECTORS=%d -DKC=%zu -DPANELS=%zu%s",
                            a_transposed, b_transposed, b->rows, b->vectors, b->kc, panels, packed);
}

static ebm_status run_panels(const ebm_product *p, const blocking *b)
{
    size_t tile_m = 0, tile_n = 0;
    choose_tile(p, b, &tile_m, &tile_n);
    ebm_launch l = begin(p->device, p->form, b, "gemm");
    ebm_gemm_arguments(&l, p);
    ebm_arg_slice(&l, p->sums);
    ebm_arg_i32(&l, (int64_t)tile_m);
    ebm_arg_i32(&l, (int64_t)tile_n);
    const size_t groups[2] = {parts(p->n, tile_n), parts(p->m, tile_m)}, one[2] = {1, 1};
    return ebm_launch_groups(&l, groups, one);
}

static ebm_status run_packing(const ebm_product *p, bool bf16)
{
    blocking b;
    EBM_TRY(choose_blocking(p->device, p->form, bf16, p->k, &b));
    return run_panels(p, &b);
}

// ---- B packed before

static size_t packed_columns(const blocking *b, size_t n) { return round_up(n, b->panel); }

// Blocks of k are those of a product that packs on its way: the same sums have the same bits. In bf16 as many rows of A
// as generation has lie in local memory, where room is: each panel is then read once.
static ebm_status choose_packed(const ebm_device *device, bool bf16, size_t k, blocking *b)
{
    EBM_TRY(choose_blocking(device, EBM_GEMM_NN, bf16, k, b)); // as nt; tn takes no packed B
    b->packed = true;
    const size_t few = b->a_rows;
    b->a_rows = MANY_A_ROWS;
    if (local_bytes(b) > ebm_device_info_view(device)->local_bytes) b->a_rows = few;
    return ebm_ok();
}

size_t ebm_gemm_cpu_packed_count(const ebm_device *device, bool bf16, size_t n, size_t k)
{
    blocking b;
    if (choose_packed(device, bf16, k, &b).code != EBM_OK) return 0;
    const size_t unit = b.amx ? (size_t)b.lanes : 1; // of pairs; only the last block is filled up
    return packed_columns(&b, n) * (bf16 ? round_up(parts(k, 2), unit) : k);
}

ebm_status ebm_gemm_cpu_pack(ebm_device *device, ebm_gemm_form form, bool bf16, size_t n, size_t k, ebm_matrix matrix,
                             ebm_slice packed)
{
    blocking b;
    EBM_TRY(choose_packed(device, bf16, k, &b));
    ebm_launch l = begin(device, form, &b, "gemm_pack");
    ebm_arg_slice(&l, packed);
    ebm_arg_slice(&l, matrix.slice);
    ebm_arg_u64(&l, matrix.first);
    ebm_arg_u32(&l, (uint32_t)matrix.stride);
    ebm_arg_i32(&l, (int64_t)n);
    ebm_arg_i32(&l, (int64_t)k);
    ebm_launch_cost(&l, 0, sizeof(float) * ((double)n * (double)k + (double)packed.count));
    const size_t groups[2] = {packed_columns(&b, n) / b.panel, parts(k, b.kc)}, one[2] = {1, 1};
    return ebm_launch_groups(&l, groups, one);
}

static ebm_status run_packed(const ebm_product *p, bool bf16)
{
    blocking b;
    ebm_product with_packed = *p;
    EBM_TRY(choose_packed(p->device, bf16, p->k, &b));
    with_packed.b = ebm_matrix_of(p->packed, packed_columns(&b, p->n));
    return run_panels(&with_packed, &b);
}

static ebm_status run_dot(const ebm_product *p, bool bf16)
{
    const size_t unit = 4;
    const size_t compute_units = ebm_device_info_view(p->device)->compute_units;
    // Some groups for each compute unit even out what else they do; a group should still outweigh its start.
    const size_t tile_n = round_up(parts(p->n, 4 * (compute_units ? compute_units : 1)), unit);
    ebm_launch l =
        ebm_launch_begin(p->device, "gemm_dot.cl", "gemm_dot", "-DB_ROWS=%zu%s", unit, bf16 ? " -DBF16" : "");
    ebm_gemm_arguments(&l, p);
    ebm_arg_i32(&l, (int64_t)tile_n);
    const size_t groups[2] = {parts(p->n, tile_n), 1}, one[2] = {1, 1};
    return ebm_launch_groups(&l, groups, one);
}

static ebm_status run(const ebm_product *p, bool bf16)
{
    const size_t few = !bf16 ? FEW_ROWS : p->device->amx ? FEW_ROWS_AMX : FEW_ROWS_BF16;
    if (p->form == EBM_GEMM_NT && p->m <= few) return run_dot(p, bf16);
    return p->packed.count > 0 ? run_packed(p, bf16) : run_packing(p, bf16);
}

ebm_status ebm_gemm_cpu(const ebm_product *p) { return run(p, false); }
ebm_status ebm_gemm_bf16(const ebm_product *p) { return run(p, true); }
