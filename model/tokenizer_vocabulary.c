// The older files: vocab.txt, or vocab.json and merges.txt.
#include <string.h>

#include "file.h"
#include "tokenizer_internal.h"

// Lines end as Python's text mode ends them: "\n", "\r\n" or "\r".
static ebm_status read_vocab_txt(ebm_tokenizer *t, const char *where)
{
    const char *text = t->files.bytes[FILE_VOCAB_TXT];
    const size_t bytes = t->files.size[FILE_VOCAB_TXT];
    int64_t id = 0;
    for (size_t start = 0; start < bytes; id++) {
        const size_t length = strcspn(text + start, "\r\n");
        size_t end = start + length, bad = 0;
        if (end < bytes && text[end] == 0)
            return ebm_fail(EBM_ERROR_INPUT, "%s/vocab.txt:%lld: a zero byte", where, (long long)id + 1);
        if (!ebm_utf8_valid(text + start, length, &bad))
            return ebm_fail(EBM_ERROR_INPUT, "%s/vocab.txt:%lld: not UTF-8: byte %zu of the line is 0x%02X", where,
                            (long long)id + 1, bad, (unsigned char)text[start + bad]);
        EBM_TRY(ebm_in(ebm_vocabulary_put(&t->vocabulary, id, text + start, length), "%s/vocab.txt:%lld", where,
                       (long long)id + 1));
        if (end + 1 < bytes && text[end] == '\r' && text[end + 1] == '\n') end++;
        start = end + 1;
    }
    return id > 0 ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s/vocab.txt: the vocabulary is empty", where);
}

static ebm_status read_vocab_json(ebm_tokenizer *t, const char *where)
{
    char name[512];
    json_error_t error;
    snprintf(name, sizeof name, "%.480s/vocab.json", where);
    json_t *object = json_loadb(t->files.bytes[FILE_VOCAB_JSON], t->files.size[FILE_VOCAB_JSON],
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!object) return ebm_fail(EBM_ERROR_INPUT, "%s:%d: %s", name, error.line, error.text);
    const ebm_status status = ebm_word_model_read_vocabulary(object, name, &t->vocabulary);
    json_decref(object);
    return status;
}

ebm_status ebm_tokenizer_read_old_model(ebm_tokenizer *t, const char *where)
{
    t->model = (ebm_word_model){.kind = EBM_WORDPIECE, .vocabulary = &t->vocabulary, .unknown = -1};
    t->model.longest_word = EBM_WORDPIECE_LONGEST_WORD;
    if (t->files.bytes[FILE_VOCAB_TXT]) return read_vocab_txt(t, where);
    t->model.kind = EBM_BPE;
    EBM_TRY(read_vocab_json(t, where));
    return ebm_in(ebm_bpe_create(&t->vocabulary, t->files.bytes[FILE_MERGES], t->files.size[FILE_MERGES], "merges.txt",
                                 false, &t->model.bpe),
                  "%s", where);
}

static const char *other_file(const char *directory)
{
    static const char *const names[] = {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model"};
    for (size_t i = 0; directory && i < sizeof names / sizeof *names; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        if (ebm_file_exists(path)) return names[i];
    }
    return NULL;
}

ebm_status ebm_tokenizer_check_files(const ebm_tokenizer_files *files, const char *directory, const char *where)
{
    const bool both = files->bytes[FILE_VOCAB_JSON] && files->bytes[FILE_MERGES];
    if (files->bytes[FILE_TOKENIZER_JSON] || files->bytes[FILE_VOCAB_TXT] || both) return ebm_ok();
    if (files->bytes[FILE_VOCAB_JSON])
        return ebm_fail(EBM_ERROR_INPUT, "%s: vocab.json is there, but merges.txt is missing", where);
    const char *other = other_file(directory);
    if (other)
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "%s: %s alone cannot be read; write a tokenizer.json beside it with python3 -c \"from "
                        "transformers import AutoTokenizer as A; A.from_pretrained('%s').save_pretrained('%s')\"",
                        where, other, where, where);
    return ebm_fail(EBM_ERROR_INPUT,
                    "%s: no tokenizer; expected tokenizer.json, or vocab.txt (BERT), or vocab.json and merges.txt "
                    "(RoBERTa, GPT-2)",
                    where);
}
