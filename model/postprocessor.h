// What is put around a text or a pair: the post-processors of tokenizer.json, as a list of what stands where.
//
//     ebm_postprocessor p = {0};
//     EBM_CHECK(ebm_postprocessor_read(json_object_get(root, "post_processor"), where, &p), end);
//     for (size_t i = 0; i < p.single.count; i++) ...     // end: ebm_postprocessor_free(&p)
//
// BertProcessing, RobertaProcessing, TemplateProcessing, ByteLevel (which puts nothing), Sequence with at most one that
// puts something. Source: tokenizers/src/processors.
#ifndef EBM_POSTPROCESSOR_H
#define EBM_POSTPROCESSOR_H

#include <jansson.h>

#include "status.h"
#include "tokenizer.h"

typedef struct {
    ebm_layout_part *parts;
    size_t count, capacity;
} ebm_layout;

typedef struct {
    ebm_layout single, pair;
} ebm_postprocessor;
void ebm_postprocessor_free(ebm_postprocessor *postprocessor);

// JSON null, or NULL: the texts only, with the types 0 and 1.
ebm_status ebm_postprocessor_read(const json_t *json, const char *where, ebm_postprocessor *postprocessor);

// The usual ones: BERT's [CLS] A [SEP] B [SEP] with types 0 and 1; RoBERTa's <s> A </s></s> B </s> with types 0.
ebm_status ebm_postprocessor_bert(int32_t cls, int32_t sep, ebm_postprocessor *postprocessor);
ebm_status ebm_postprocessor_roberta(int32_t cls, int32_t sep, ebm_postprocessor *postprocessor);
// bos A eos, bos A eos bos B eos with types 0 and 1; -1: without.
ebm_status ebm_postprocessor_bos_eos(int32_t bos, int32_t eos, ebm_postprocessor *postprocessor);

// For models without type embeddings.
void ebm_postprocessor_clear_types(ebm_postprocessor *postprocessor);

#endif
