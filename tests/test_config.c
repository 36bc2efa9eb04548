// config.json of the families: read, checked key by key, written back with everything it held.
#include "config_files.h"

static const char BERT[] = "{\"_name_or_path\": \"somewhere\", \"architectures\": [\"BertModel\"],"
                           "\"attention_probs_dropout_prob\": 0.125, \"hidden_act\": \"gelu\","
                           "\"hidden_dropout_prob\": 0.1, \"hidden_size\": 384, \"initializer_range\": 0.02,"
                           "\"intermediate_size\": 1536, \"layer_norm_eps\": 1e-12, \"max_position_embeddings\": 512,"
                           "\"model_type\": \"bert\", \"num_attention_heads\": 12, \"num_hidden_layers\": 6,"
                           "\"pad_token_id\": 0, \"type_vocab_size\": 2, \"vocab_size\": 30522}";
static const char ROBERTA[] = "{\"model_type\": \"roberta\", \"hidden_size\": 768, \"intermediate_size\": 3072,"
                              "\"layer_norm_eps\": 1e-05, \"max_position_embeddings\": 514,"
                              "\"num_attention_heads\": 12, \"num_hidden_layers\": 12, \"bos_token_id\": 0,"
                              "\"pad_token_id\": 1, \"eos_token_id\": 2, \"type_vocab_size\": 1,"
                              "\"classifier_dropout\": null, \"vocab_size\": 50265}";
static const char GPT2[] = "{\"model_type\": \"gpt2\", \"n_embd\": 768, \"n_layer\": 12, \"n_head\": 12,"
                           "\"n_positions\": 1024, \"n_ctx\": 1024, \"n_inner\": null, \"vocab_size\": 50257,"
                           "\"activation_function\": \"gelu_new\", \"resid_pdrop\": 0.2, \"embd_pdrop\": 0.05,"
                           "\"attn_pdrop\": 0.15, \"layer_norm_epsilon\": 1e-05, \"bos_token_id\": 50256,"
                           "\"eos_token_id\": 50256, \"task_specific_params\": {\"text-generation\": {\"x\": [1]}}}";

// As the hub has them: distilbert-base-uncased, electra-small-discriminator, xlm-roberta-base.
static const char DISTILBERT[] =
    "{\"activation\": \"gelu\", \"architectures\": [\"DistilBertForMaskedLM\"], \"attention_dropout\": 0.125,"
    "\"dim\": 768, \"dropout\": 0.25, \"hidden_dim\": 3072, \"initializer_range\": 0.02,"
    "\"max_position_embeddings\": 512, \"model_type\": \"distilbert\", \"n_heads\": 12, \"n_layers\": 6,"
    "\"pad_token_id\": 0, \"qa_dropout\": 0.1, \"sinusoidal_pos_embds\": false, \"tie_weights_\": true,"
    "\"vocab_size\": 30522}";
static const char ELECTRA[] =
    "{\"attention_probs_dropout_prob\": 0.1, \"embedding_size\": 128, \"hidden_act\": \"gelu\","
    "\"hidden_dropout_prob\": 0.1, \"hidden_size\": 256, \"intermediate_size\": 1024, \"layer_norm_eps\": 1e-12,"
    "\"max_position_embeddings\": 512, \"model_type\": \"electra\", \"num_attention_heads\": 4,"
    "\"num_hidden_layers\": 12, \"type_vocab_size\": 2, \"vocab_size\": 30522}";
static const char XLM_ROBERTA[] =
    "{\"model_type\": \"xlm-roberta\", \"hidden_size\": 768, \"intermediate_size\": 3072,"
    "\"layer_norm_eps\": 1e-05, \"max_position_embeddings\": 514, \"num_attention_heads\": 12,"
    "\"num_hidden_layers\": 12, \"type_vocab_size\": 1, \"vocab_size\": 250002}";

static void test_bert(void **state)
{
    ebm_config *config = load(*state, BERT, "{}");
    assert_int_equal(config->family, EBM_FAMILY_BERT);
    assert_string_equal(ebm_family_name(config->family), "bert");
    assert_int_equal(config->hidden, 384);
    assert_int_equal(config->layers, 6);
    assert_int_equal(config->heads, 12);
    assert_int_equal(ebm_config_head_size(config), 32);
    assert_int_equal(config->intermediate, 1536);
    assert_int_equal(config->vocabulary, 30522);
    assert_int_equal(config->max_positions, 512);
    assert_int_equal(config->position_offset, 0);
    assert_int_equal(ebm_config_max_tokens(config), 512);
    assert_int_equal(config->type_vocabulary, 2);
    assert_true(config->layer_norm_eps == 1e-12F);
    assert_true(config->hidden_dropout == 0.1F && config->embedding_dropout == 0.1F);
    assert_true(config->attention_dropout == 0.125F && config->classifier_dropout == 0.1F);
    assert_true(config->pad_id == 0 && config->bos_id == -1 && config->eos_id == -1);
    assert_int_equal(config->label_count, 2);
    assert_string_equal(config->labels[1], "LABEL_1");
    ebm_config_free(config);
    ebm_config_free(NULL);
}

static void test_roberta(void **state)
{
    ebm_config *config = load(*state, ROBERTA, "{\"classifier_dropout\": 0, \"hidden_dropout_prob\": 0.25}");
    assert_int_equal(config->family, EBM_FAMILY_ROBERTA);
    assert_int_equal(config->position_offset, 2);
    assert_int_equal(ebm_config_max_tokens(config), 512);
    assert_int_equal(config->type_vocabulary, 1);
    assert_true(config->hidden_dropout == 0.25F && config->classifier_dropout == 0 &&
                config->attention_dropout == 0.1F);
    assert_true(config->pad_id == 1 && config->bos_id == 0 && config->eos_id == 2);
    ebm_config_free(config);
    config = load(*state, ROBERTA, "{\"pad_token_id\": 7, \"eos_token_id\": [5, 6]}");
    assert_int_equal(config->position_offset, 8);
    assert_int_equal(config->eos_id, 5);
    ebm_config_free(config);
}

static void test_gpt2(void **state)
{
    ebm_config *config = load(*state, GPT2, "{\"n_positions\": \"delete\"}");
    assert_int_equal(config->family, EBM_FAMILY_GPT2);
    assert_int_equal(config->hidden, 768);
    assert_int_equal(config->intermediate, 3072);
    assert_int_equal(config->max_positions, 1024);
    assert_int_equal(config->type_vocabulary, 0);
    assert_int_equal(config->label_count, 0);
    assert_true(config->hidden_dropout == 0.2F && config->embedding_dropout == 0.05F);
    assert_true(config->attention_dropout == 0.15F && config->layer_norm_eps == 1e-5F);
    assert_int_equal(config->eos_id, 50256);
    ebm_config_free(config);
    // transformers leaves 50256 in a GPT-2 of any vocabulary.
    config = load(*state, GPT2, "{\"vocab_size\": 30522, \"n_inner\": 1024}");
    assert_true(config->bos_id == -1 && config->eos_id == -1);
    assert_int_equal(config->intermediate, 1024);
    ebm_config_free(config);
}

static void test_labels(void **state)
{
    ebm_config *config = load(*state, BERT, "{\"id2label\": {\"2\": \"two\", \"0\": \"zero\", \"1\": \"éins\"}}");
    assert_int_equal(config->label_count, 3);
    assert_string_equal(config->labels[0], "zero");
    assert_string_equal(config->labels[1], "éins");
    assert_int_equal(ebm_config_label_id(config, "two"), 2);
    assert_int_equal(ebm_config_label_id(config, "three"), -1);
    const char *const swapped[] = {config->labels[2], config->labels[0]};
    assert_ok(ebm_config_set_labels(config, swapped, 2)); // names the config itself owns
    assert_string_equal(config->labels[0], "two");
    static const char *const twice[] = {"a", "b", "a"}, *const broken[] = {"a", "\xC3"}, *const empty[] = {""};
    static const char *const lines[] = {"a\nb"};
    assert_fails(ebm_config_set_labels(config, twice, 3), EBM_ERROR_INPUT, "two labels have the name \"a\"");
    assert_fails(ebm_config_set_labels(config, broken, 2), EBM_ERROR_INPUT, "the name of label 1 is not UTF-8");
    assert_fails(ebm_config_set_labels(config, empty, 1), EBM_ERROR_INPUT, "label 0 has no name");
    assert_fails(ebm_config_set_labels(config, lines, 1), EBM_ERROR_INPUT, "label 0 holds a control character");
    assert_fails(ebm_config_set_labels(config, twice, 0), EBM_ERROR_INPUT, "expected 1 to 10000 labels, found 0");
    assert_int_equal(config->label_count, 2);
    ebm_config_free(config);
    config = load(*state, BERT, "{\"num_labels\": 3}");
    assert_int_equal(config->label_count, 3);
    ebm_config_free(config);
}

static void test_save_encoder(void **state)
{
    ebm_config *config = load(*state, BERT,
                              "{\"num_labels\": 5, \"problem_type\": null, \"odd\": {\"a\": [0.3]},"
                              "\"dtype\": \"bfloat16\", \"torch_dtype\": \"float16\"}");
    static const char *const labels[] = {"no", "yes \"quoted\""};
    assert_ok(ebm_config_set_labels(config, labels, 2));
    config->hidden_dropout = 0.3F;
    config->attention_dropout = 0;
    json_t *object = saved(config, *state);
    assert_key(object, "architectures", "[\"BertForSequenceClassification\"]");
    assert_key(object, "id2label", "{\"0\":\"no\",\"1\":\"yes \\\"quoted\\\"\"}");
    assert_key(object, "label2id", "{\"no\":0,\"yes \\\"quoted\\\"\":1}");
    assert_key(object, "problem_type", "\"single_label_classification\"");
    assert_key(object, "torch_dtype", "\"float32\"");
    assert_key(object, "dtype", "\"float32\"");
    assert_key(object, "hidden_dropout_prob", "0.3");
    assert_key(object, "attention_probs_dropout_prob", "0.0");
    assert_key(object, "classifier_dropout", "0.1");
    assert_key(object, "layer_norm_eps", "1e-12");
    assert_key(object, "initializer_range", "0.02");
    assert_key(object, "odd", "{\"a\":[0.3]}");
    assert_key(object, "_name_or_path", "\"somewhere\"");
    assert_null(json_object_get(object, "num_labels"));
    assert_null(json_object_get(object, "bos_token_id"));
    json_decref(object);

    ebm_config *back = NULL, *copy = NULL;
    assert_ok(ebm_config_load(*state, &back));
    assert_ok(ebm_config_copy(back, &copy));
    ebm_config_free(back);
    assert_true(copy->hidden_dropout == 0.3F && copy->classifier_dropout == 0.1F);
    assert_string_equal(copy->labels[1], labels[1]);
    json_t *again = saved(copy, *state);
    assert_true(json_equal(again, copy->source));
    json_decref(again);
    ebm_config_free(copy);
    ebm_config_free(config);
}

// Nothing but what must change changes: the source is compared key by key with what is written.
static void test_save_keeps_the_source(void **state)
{
    const char *const sources[] = {ROBERTA, GPT2};
    for (size_t i = 0; i < 2; i++) {
        ebm_config *config = load(*state, sources[i], "{\"precise\": 0.12345678901234568}");
        json_t *object = saved(config, *state), *value;
        const char *key;
        json_object_foreach(config->source, key, value) if (!json_equal(value, json_object_get(object, key)))
            fail_msg("%s changed", key);
        assert_key(object, "architectures", i ? "[\"GPT2LMHeadModel\"]" : "[\"RobertaForSequenceClassification\"]");
        assert_true((json_object_get(object, "id2label") == NULL) == (i == 1));
        json_decref(object);
        ebm_config_free(config);
    }
}

static void test_distilbert(void **state)
{
    ebm_config *config = load(*state, DISTILBERT, "{}");
    assert_int_equal(config->family, EBM_FAMILY_DISTILBERT);
    assert_true(config->hidden == 768 && config->embedding == 768 && config->layers == 6 && config->heads == 12);
    assert_true(config->intermediate == 3072 && config->max_positions == 512 && config->position_offset == 0);
    assert_int_equal(config->type_vocabulary, 0);
    assert_true(config->layer_norm_eps == 1e-12F);
    assert_true(config->hidden_dropout == 0.25F && config->embedding_dropout == 0.25F);
    assert_true(config->attention_dropout == 0.125F && config->classifier_dropout == 0.2F);
    json_t *object = saved(config, *state);
    assert_key(object, "architectures", "[\"DistilBertForSequenceClassification\"]");
    assert_key(object, "dim", "768");
    assert_key(object, "seq_classif_dropout", "0.2");
    assert_key(object, "qa_dropout", "0.1");
    assert_null(json_object_get(object, "hidden_size"));
    assert_null(json_object_get(object, "type_vocab_size"));
    assert_null(json_object_get(object, "layer_norm_eps"));
    assert_null(json_object_get(object, "classifier_dropout"));
    json_decref(object);
    ebm_config_free(config);
    config = load(*state, DISTILBERT, "{\"seq_classif_dropout\": 0.5}");
    assert_true(config->classifier_dropout == 0.5F);
    ebm_config_free(config);
}

static void test_electra(void **state)
{
    ebm_config *config = load(*state, ELECTRA, "{}");
    assert_int_equal(config->family, EBM_FAMILY_ELECTRA);
    assert_true(config->hidden == 256 && config->embedding == 128);
    assert_int_equal(config->pad_id, 0);
    json_t *object = saved(config, *state);
    assert_key(object, "architectures", "[\"ElectraForSequenceClassification\"]");
    assert_key(object, "embedding_size", "128");
    assert_key(object, "classifier_dropout", "null");
    json_decref(object);
    ebm_config_free(config);
    config = load(*state, ELECTRA, "{\"embedding_size\": \"delete\", \"hidden_size\": 512}");
    assert_true(config->hidden == 512 && config->embedding == 128); // as transformers
    ebm_config_free(config);
}

static void test_xlm_roberta(void **state)
{
    ebm_config *config = load(*state, XLM_ROBERTA, "{}");
    assert_int_equal(config->family, EBM_FAMILY_XLM_ROBERTA);
    assert_true(config->pad_id == 1 && config->bos_id == 0 && config->eos_id == 2);
    assert_int_equal(ebm_config_max_tokens(config), 512);
    json_t *object = saved(config, *state);
    assert_key(object, "architectures", "[\"XLMRobertaForSequenceClassification\"]");
    assert_key(object, "model_type", "\"xlm-roberta\"");
    json_decref(object);
    ebm_config_free(config);
}

static void test_family_names(void **state)
{
    char text[200];
    ebm_family family = EBM_FAMILY_GPT2;
    for (int i = 0; i < EBM_FAMILIES; i++) {
        assert_true(ebm_family_find(ebm_family_name((ebm_family)i), &family));
        assert_int_equal(family, i);
        assert_int_equal(ebm_family_is_encoder(family), family != EBM_FAMILY_GPT2);
    }
    assert_false(ebm_family_find("t5", &family));
    assert_null(strstr(ebm_family_list(true, text, sizeof text), "gpt2"));
    assert_non_null(strstr(ebm_family_list(false, text, sizeof text), "\"gpt2\""));
    assert_true(strlen(ebm_family_list(false, text, 12)) < 12); // cut, not overrun
}

static void test_from_scratch(void **state)
{
    ebm_config *config = NULL, *back = NULL;
    assert_ok(ebm_config_default_gpt2(4, 384, 30522, 256, &config));
    assert_int_equal(config->heads, 6);
    config->eos_id = 102;
    assert_ok(ebm_config_save(config, *state));
    assert_ok(ebm_config_load(*state, &back));
    assert_int_equal(back->family, EBM_FAMILY_GPT2);
    assert_int_equal(back->intermediate, 1536);
    assert_int_equal(back->eos_id, 102);
    assert_true(back->attention_dropout == 0.1F && back->layer_norm_eps == 1e-5F);
    ebm_config_free(config);
    ebm_config_free(back);
    assert_ok(ebm_config_default_bert(2, 96, 100, 64, &config));
    assert_int_equal(config->heads, 3);
    assert_ok(ebm_config_save(config, *state));
    assert_ok(ebm_config_load(*state, &back));
    assert_int_equal(back->type_vocabulary, 2);
    assert_true(back->layer_norm_eps == 1e-12F);
    ebm_config_free(config);
    ebm_config_free(back);
    assert_ok(ebm_config_default_roberta(2, 80, 100, 66, &config));
    assert_int_equal(config->heads, 5);
    assert_int_equal(ebm_config_max_tokens(config), 64);
    assert_ok(ebm_config_save(config, *state));
    assert_ok(ebm_config_load(*state, &back));
    assert_int_equal(back->position_offset, 2);
    ebm_config_free(config);
    ebm_config_free(back);
    config = NULL;
    assert_fails(ebm_config_default_bert(2, 100, 100, 64, &config), EBM_ERROR_INPUT,
                 "a model from scratch: hidden_size: expected a multiple of 16 up to 16384, found 100");
    assert_fails(ebm_config_default_gpt2(0, 64, 100, 64, &config), EBM_ERROR_INPUT,
                 "n_layer: expected a number from 1");
    assert_null(config);
}

static const struct {
    const char *base, *patch;
    ebm_code code;
    const char *sentence;
} REFUSED[] = {
    {BERT, "{\"model_type\": \"delete\"}", EBM_ERROR_INPUT,
     "model_type: expected one of the supported \"bert\", \"roberta\", \"gpt2\", \"distilbert\", \"electra\", "
     "\"xlm-roberta\", \"modernbert\", found no such key"},
    {BERT, "{\"model_type\": \"distil\\nbert\"}", EBM_ERROR_UNSUPPORTED, "\"modernbert\", found \"distil\\nbert\""},
    {BERT, "{\"model_type\": 3}", EBM_ERROR_INPUT, "found 3"},
    {BERT, "{\"hidden_size\": \"delete\"}", EBM_ERROR_INPUT,
     "hidden_size: expected a number from 1 on, found no such key"},
    {BERT, "{\"hidden_size\": \"384\"}", EBM_ERROR_INPUT, "hidden_size: expected a number from 1 on, found \"384\""},
    {BERT, "{\"hidden_size\": 384.0}", EBM_ERROR_INPUT, "hidden_size: expected a number from 1 on, found 384.0"},
    {BERT, "{\"hidden_size\": -384}", EBM_ERROR_INPUT, "hidden_size: expected a number from 1 on, found -384"},
    {BERT, "{\"hidden_size\": 0}", EBM_ERROR_INPUT, "hidden_size: expected a multiple of 16 up to 16384, found 0"},
    {BERT, "{\"hidden_size\": 380}", EBM_ERROR_INPUT, "hidden_size: expected a multiple of 16 up to 16384, found 380"},
    {BERT, "{\"hidden_size\": 9223372036854775807}", EBM_ERROR_INPUT,
     SIZE_MAX == UINT64_MAX ? "hidden_size: expected a multiple of 16 up to" : "expected a number of this system"},
    {BERT, "{\"num_hidden_layers\": 0}", EBM_ERROR_INPUT,
     "num_hidden_layers: expected a number from 1 to 1000, found 0"},
    {BERT, "{\"num_hidden_layers\": 1001}", EBM_ERROR_INPUT, "num_hidden_layers: expected a number from 1 to 1000"},
    {BERT, "{\"num_attention_heads\": 0}", EBM_ERROR_INPUT, "num_attention_heads: expected a number from 1 to 1024"},
    {BERT, "{\"num_attention_heads\": 7}", EBM_ERROR_INPUT,
     "num_attention_heads: expected a divisor of hidden_size 384, found 7"},
    {BERT, "{\"num_attention_heads\": 16}", EBM_ERROR_UNSUPPORTED, "of a multiple of 16 up to 128, found 24"},
    {BERT, "{\"num_attention_heads\": 2}", EBM_ERROR_UNSUPPORTED, "of a multiple of 16 up to 128, found 192"},
    {BERT, "{\"intermediate_size\": null}", EBM_ERROR_INPUT,
     "intermediate_size: expected a number from 1 on, found null"},
    {BERT, "{\"intermediate_size\": 1000}", EBM_ERROR_INPUT, "intermediate_size: expected a multiple of 16"},
    {BERT, "{\"vocab_size\": 100000000}", EBM_ERROR_INPUT, "vocab_size: expected a number from 1 to 16777216"},
    {BERT, "{\"max_position_embeddings\": 0}", EBM_ERROR_INPUT, "max_position_embeddings: expected a number from 1"},
    {BERT, "{\"type_vocab_size\": 0}", EBM_ERROR_INPUT, "type_vocab_size: expected a number from 1 to 65536, found 0"},
    {BERT, "{\"layer_norm_eps\": 0}", EBM_ERROR_INPUT,
     "layer_norm_eps: expected a number above 0 and below 1, found 0"},
    {BERT, "{\"layer_norm_eps\": \"small\"}", EBM_ERROR_INPUT, "layer_norm_eps: expected a number, found \"small\""},
    {BERT, "{\"hidden_dropout_prob\": 1}", EBM_ERROR_INPUT,
     "hidden_dropout_prob: expected a probability from 0 to below 1, found 1"},
    {BERT, "{\"attention_probs_dropout_prob\": -0.1}", EBM_ERROR_INPUT,
     "attention_probs_dropout_prob: expected a prob"},
    {BERT, "{\"classifier_dropout\": 1e300}", EBM_ERROR_INPUT, "classifier_dropout: expected a probability"},
    {BERT, "{\"pad_token_id\": 30522}", EBM_ERROR_INPUT,
     "pad_token_id: expected an id below vocab_size 30522, found 30522"},
    {BERT, "{\"pad_token_id\": 4294967296}", EBM_ERROR_INPUT, "pad_token_id: expected a token id, found 4294967296"},
    {BERT, "{\"eos_token_id\": []}", EBM_ERROR_INPUT, "eos_token_id: expected a token id, found []"},
    {BERT, "{\"hidden_act\": \"relu\"}", EBM_ERROR_UNSUPPORTED, "hidden_act: expected \"gelu\", found \"relu\""},
    {BERT, "{\"hidden_act\": \"gelu_new\"}", EBM_ERROR_UNSUPPORTED,
     "hidden_act: expected \"gelu\", found \"gelu_new\""},
    {BERT, "{\"hidden_act\": 1}", EBM_ERROR_INPUT, "hidden_act: expected \"gelu\", found 1"},
    {BERT, "{\"position_embedding_type\": \"relative_key\"}", EBM_ERROR_UNSUPPORTED,
     "position_embedding_type: expected \"absolute\", found \"relative_key\""},
    {BERT, "{\"is_decoder\": true}", EBM_ERROR_UNSUPPORTED, "is_decoder: only false is supported"},
    {BERT, "{\"is_decoder\": \"no\"}", EBM_ERROR_INPUT, "is_decoder: expected true or false, found \"no\""},
    {BERT, "{\"quantization_config\": {}}", EBM_ERROR_UNSUPPORTED, "quantized weights are not supported"},
    {BERT, "{\"id2label\": {\"0\": \"a\", \"2\": \"b\"}}", EBM_ERROR_INPUT,
     "id2label: expected the ids 0 to 1, each once"},
    {BERT, "{\"id2label\": {\"0\": \"a\", \"00\": \"b\"}}", EBM_ERROR_INPUT, "id2label: expected the ids 0 to 1"},
    {BERT, "{\"id2label\": {\"0\": \"a\", \"1x\": \"b\"}}", EBM_ERROR_INPUT, "id2label: expected the ids 0 to 1"},
    {BERT, "{\"id2label\": {\"0\": 7}}", EBM_ERROR_INPUT, "id2label: expected a text for id 0"},
    {BERT, "{\"id2label\": {\"0\": \"a\", \"1\": \"a\"}}", EBM_ERROR_INPUT, "id2label: two labels have the name \"a\""},
    {BERT, "{\"id2label\": [\"a\"]}", EBM_ERROR_INPUT, "id2label: expected an object of ids and names, found [\"a\"]"},
    {BERT, "{\"id2label\": {}}", EBM_ERROR_INPUT, "id2label: expected an object of ids and names, found {}"},
    {BERT, "{\"num_labels\": 0}", EBM_ERROR_INPUT, "num_labels: expected a number from 1 to 10000, found 0"},
    {BERT, "{\"num_labels\": 1}", EBM_ERROR_UNSUPPORTED, "expected two labels or more, found 1: a regression model"},
    {BERT, "{\"id2label\": {\"0\": \"score\"}}", EBM_ERROR_UNSUPPORTED, "expected two labels or more, found 1"},
    {BERT, "{\"problem_type\": \"regression\"}", EBM_ERROR_UNSUPPORTED,
     "problem_type: expected \"single_label_classification\", the only problem this program solves, found "
     "\"regression\""},
    {BERT, "{\"problem_type\": \"multi_label_classification\"}", EBM_ERROR_UNSUPPORTED,
     "found \"multi_label_classification\""},
    {ROBERTA, "{\"pad_token_id\": null}", EBM_ERROR_INPUT, "pad_token_id: expected a token id (positions start after"},
    {ROBERTA, "{\"max_position_embeddings\": 2}", EBM_ERROR_INPUT,
     "max_position_embeddings: expected more than pad_token_id + 1 = 2, found 2"},
    {DISTILBERT, "{\"dim\": \"delete\"}", EBM_ERROR_INPUT, "dim: expected a number from 1 on, found no such key"},
    {DISTILBERT, "{\"dim\": 760}", EBM_ERROR_INPUT, "dim: expected a multiple of 16 up to 16384, found 760"},
    {DISTILBERT, "{\"activation\": \"relu\"}", EBM_ERROR_UNSUPPORTED, "activation: expected \"gelu\", found \"relu\""},
    {DISTILBERT, "{\"seq_classif_dropout\": 1}", EBM_ERROR_INPUT, "seq_classif_dropout: expected a probability from 0"},
    {DISTILBERT, "{\"n_heads\": 5}", EBM_ERROR_INPUT, "n_heads: expected a divisor of dim 768, found 5"},
    {ELECTRA, "{\"embedding_size\": 100}", EBM_ERROR_INPUT, "embedding_size: expected a multiple of 16 up to 16384"},
    {ELECTRA, "{\"embedding_size\": 0}", EBM_ERROR_INPUT, "embedding_size: expected a multiple of 16"},
    {ELECTRA, "{\"embedding_size\": \"x\"}", EBM_ERROR_INPUT, "embedding_size: expected a number from 1 on"},
    {XLM_ROBERTA, "{\"pad_token_id\": null}", EBM_ERROR_INPUT, "pad_token_id: expected a token id (positions start"},
    {GPT2, "{\"n_embd\": \"delete\"}", EBM_ERROR_INPUT, "n_embd: expected a number from 1 on, found no such key"},
    {GPT2, "{\"n_ctx\": \"delete\", \"n_positions\": \"delete\"}", EBM_ERROR_INPUT, "n_positions: expected a number"},
    {GPT2, "{\"n_inner\": 100}", EBM_ERROR_INPUT, "n_inner: expected a multiple of 16"},
    {GPT2, "{\"activation_function\": \"relu\"}", EBM_ERROR_UNSUPPORTED,
     "activation_function: expected \"gelu_new\", found \"relu\""},
    {GPT2, "{\"tie_word_embeddings\": false}", EBM_ERROR_UNSUPPORTED, "tie_word_embeddings: only true is supported"},
    {GPT2, "{\"scale_attn_weights\": false}", EBM_ERROR_UNSUPPORTED, "scale_attn_weights: only true is supported"},
    {GPT2, "{\"scale_attn_by_inverse_layer_idx\": true}", EBM_ERROR_UNSUPPORTED, "only false is supported"},
    {GPT2, "{\"embd_pdrop\": 2}", EBM_ERROR_INPUT, "embd_pdrop: expected a probability from 0 to below 1, found 2"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        put_config(*state, REFUSED[i].base, REFUSED[i].patch);
        ebm_config *config = NULL;
        assert_fails(ebm_config_load(*state, &config), REFUSED[i].code, REFUSED[i].sentence);
        assert_fails(ebm_config_load(*state, &config), REFUSED[i].code, "/config.json: ");
        assert_null(config);
    }
}

static void test_refused_text(void **state)
{
    char *path = in_folder(*state, "config.json");
    ebm_config *config = NULL;
    assert_fails(ebm_config_load(*state, &config), EBM_ERROR_INPUT, "config.json: cannot open: No such file");
    put_file(path, "", 0);
    assert_fails(ebm_config_load(*state, &config), EBM_ERROR_INPUT, "config.json:1: not valid JSON");
    put_file(path, "[]", 2);
    assert_fails(ebm_config_load(*state, &config), EBM_ERROR_INPUT, "config.json: expected a JSON object");
    put_file(path, "{\n\"a\": 1,\n}", 11);
    assert_fails(ebm_config_load(*state, &config), EBM_ERROR_INPUT, "config.json:3: not valid JSON");
    put_file(path, "{\"a\": 1, \"a\": 2}", 16);
    assert_fails(ebm_config_load(*state, &config), EBM_ERROR_INPUT, "duplicate object key");
    put_file(path, "{\"a\": \"\xFF\"}", 10);
    assert_fails(ebm_config_load(*state, &config), EBM_ERROR_INPUT, "config.json:1: not valid JSON");
    // Every proper prefix of a good file.
    for (size_t cut = 0; cut < sizeof BERT - 1; cut++) {
        put_file(path, BERT, cut);
        const ebm_status status = ebm_config_load(*state, &config);
        if (status.code != EBM_ERROR_INPUT) fail_msg("cut at %zu: code %d", cut, (int)status.code);
    }
    free(path);
}

static void test_save_refuses(void **state)
{
    ebm_config *config = load(*state, BERT, "{}");
    config->heads = 5;
    assert_fails(ebm_config_save(config, *state), EBM_ERROR_INPUT, "expected a divisor of hidden_size 384, found 5");
    config->heads = 12;
    char *missing = in_folder(*state, "missing");
    assert_fails(ebm_config_save(config, missing), EBM_ERROR_INPUT, "missing/config.json: cannot create: No such file");
    free(missing);
    ebm_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_bert),         in_own_folder(test_roberta),      in_own_folder(test_gpt2),
        in_own_folder(test_labels),       in_own_folder(test_save_encoder), in_own_folder(test_save_keeps_the_source),
        in_own_folder(test_from_scratch), in_own_folder(test_refused),      in_own_folder(test_refused_text),
        in_own_folder(test_save_refuses), in_own_folder(test_distilbert),   in_own_folder(test_electra),
        in_own_folder(test_xlm_roberta),  in_own_folder(test_family_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
