// ModernBERT's config.json: its switches, layer types and rotary bases, in the names of transformers 4 and 5.
#include "config_files.h"

// answerdotai/ModernBERT-base as the hub has it, the keys that mean nothing here left out.
static const char BASE[] =
    "{\"architectures\": [\"ModernBertForMaskedLM\"], \"attention_bias\": false, \"attention_dropout\": 0.0,"
    "\"bos_token_id\": 50281, \"classifier_activation\": \"gelu\", \"classifier_bias\": false,"
    "\"classifier_dropout\": 0.0, \"classifier_pooling\": \"mean\", \"cls_token_id\": 50281, \"decoder_bias\": true,"
    "\"embedding_dropout\": 0.0, \"eos_token_id\": 50282, \"global_attn_every_n_layers\": 3,"
    "\"global_rope_theta\": 160000.0, \"gradient_checkpointing\": false, \"hidden_activation\": \"gelu\","
    "\"hidden_size\": 768, \"intermediate_size\": 1152, \"layer_norm_eps\": 1e-05, \"local_attention\": 128,"
    "\"local_rope_theta\": 10000.0, \"max_position_embeddings\": 8192, \"mlp_bias\": false, \"mlp_dropout\": 0.0,"
    "\"model_type\": \"modernbert\", \"norm_bias\": false, \"norm_eps\": 1e-05, \"num_attention_heads\": 12,"
    "\"num_hidden_layers\": 22, \"pad_token_id\": 50283, \"position_embedding_type\": \"absolute\","
    "\"sep_token_id\": 50282, \"tie_word_embeddings\": true, \"torch_dtype\": \"float32\", \"vocab_size\": 50368}";

// The keys of transformers 5 for three layers.
static const char NEW[] =
    "{\"global_attn_every_n_layers\": \"delete\", \"global_rope_theta\": \"delete\", \"local_rope_theta\": \"delete\","
    "\"num_hidden_layers\": 3, \"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\"],"
    "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 500.5, \"rope_type\": \"default\"},"
    "\"sliding_attention\": {\"rope_theta\": 20, \"rope_type\": \"default\"}}}";

static void assert_equal(double found, double expected) { assert_true(!(found < expected) && !(found > expected)); }

static void test_old_names(void **state)
{
    ebm_config *config = load(*state, BASE, "{}");
    assert_int_equal(config->family, EBM_FAMILY_MODERNBERT);
    assert_true(config->hidden == 768 && config->embedding == 768 && config->layers == 22 && config->heads == 12);
    assert_true(config->intermediate == 1152 && config->type_vocabulary == 0 && config->position_offset == 0);
    assert_int_equal(ebm_config_max_tokens(config), 8192);
    assert_int_equal(config->pooling, EBM_POOLING_MEAN);
    assert_true(config->layer_norm_eps == 1e-5F);
    assert_true(config->pad_id == 50283 && config->bos_id == 50281 && config->eos_id == 50282);
    assert_false(config->bias.attention || config->bias.mlp || config->bias.norm || config->bias.classifier);
    for (size_t l = 0; l < 22; l++) assert_int_equal(config->local_layers[l], l % 3 != 0);
    assert_int_equal(config->window, 64);
    assert_equal(config->global_theta, 160000);
    assert_equal(config->local_theta, 10000);
    json_t *object = saved(config, *state);
    assert_key(object, "architectures", "[\"ModernBertForSequenceClassification\"]");
    assert_key(object, "global_attn_every_n_layers", "3");
    assert_key(object, "global_rope_theta", "160000.0");
    assert_key(object, "local_attention", "128");
    assert_key(object, "classifier_pooling", "\"mean\"");
    assert_key(object, "attention_bias", "false");
    assert_null(json_object_get(object, "layer_types")); // what older versions read stays the only place
    assert_null(json_object_get(object, "rope_parameters"));
    assert_null(json_object_get(object, "hidden_dropout_prob"));
    json_decref(object);
    ebm_config_free(config);
}

static void test_new_names(void **state)
{
    ebm_config *config = load(*state, BASE, NEW);
    assert_true(config->local_layers[0] && !config->local_layers[1] && config->local_layers[2]);
    assert_equal(config->global_theta, 500.5);
    assert_equal(config->local_theta, 20);
    json_t *object = saved(config, *state);
    assert_key(object, "layer_types", "[\"sliding_attention\",\"full_attention\",\"sliding_attention\"]");
    json_t *ropes = json_object_get(object, "rope_parameters");
    assert_key(json_object_get(ropes, "full_attention"), "rope_theta", "500.5");
    assert_key(json_object_get(ropes, "sliding_attention"), "rope_theta", "20");
    assert_null(json_object_get(object, "global_rope_theta"));
    json_decref(object);
    ebm_config_free(config);
}

static void test_switches_and_dropouts(void **state)
{
    ebm_config *config =
        load(*state, BASE,
             "{\"attention_bias\": true, \"norm_bias\": true, \"classifier_bias\": null, \"mlp_dropout\": 0.25,"
             "\"attention_dropout\": 0.125, \"embedding_dropout\": 0.5, \"classifier_dropout\": 0.75,"
             "\"local_attention\": 9, \"classifier_pooling\": \"cls\"}");
    assert_true(config->bias.attention && !config->bias.mlp && config->bias.norm && !config->bias.classifier);
    assert_true(config->hidden_dropout == 0.25F && config->attention_dropout == 0.125F);
    assert_true(config->embedding_dropout == 0.5F && config->classifier_dropout == 0.75F);
    assert_int_equal(config->pooling, EBM_POOLING_FIRST);
    assert_int_equal(config->window, 4);
    json_t *object = saved(config, *state);
    assert_key(object, "norm_bias", "true");
    assert_key(object, "mlp_bias", "false");
    assert_key(object, "mlp_dropout", "0.25");
    assert_key(object, "local_attention", "9");
    json_decref(object);
    ebm_config_free(config);
}

// What the file does not say is as transformers has it.
static void test_defaults(void **state)
{
    ebm_config *config = load(*state,
                              "{\"model_type\": \"modernbert\", \"hidden_size\": 64, \"num_hidden_layers\": 4,"
                              "\"num_attention_heads\": 1, \"intermediate_size\": 32, \"vocab_size\": 50368,"
                              "\"max_position_embeddings\": 100}",
                              "{}");
    ebm_config *back = NULL, *copy = NULL;
    assert_false(config->bias.attention || config->bias.mlp || config->bias.norm || config->bias.classifier);
    assert_true(config->hidden_dropout == 0 && config->attention_dropout == 0 && config->embedding_dropout == 0);
    assert_true(config->classifier_dropout == 0 && config->pooling == EBM_POOLING_FIRST);
    assert_true(!config->local_layers[0] && config->local_layers[1] && !config->local_layers[3]);
    assert_true(config->window == 64 && config->pad_id == 50283);
    json_t *object = saved(config, *state);
    assert_key(object, "layer_types",
               "[\"full_attention\",\"sliding_attention\",\"sliding_attention\",\"full_attention\"]");
    assert_key(json_object_get(json_object_get(object, "rope_parameters"), "full_attention"), "rope_theta", "160000.0");
    json_decref(object);
    assert_ok(ebm_config_load(*state, &back));
    assert_ok(ebm_config_copy(back, &copy));
    assert_memory_equal(copy->local_layers, config->local_layers, sizeof config->local_layers);
    assert_equal(copy->local_theta, 10000);
    ebm_config_free(config);
    ebm_config_free(back);
    ebm_config_free(copy);
}

static void test_from_scratch(void **state)
{
    ebm_config *config = NULL, *back = NULL;
    assert_ok(ebm_config_default_modernbert(5, 64, 50368, 512, &config));
    assert_true(config->local_layers[4] && config->hidden_dropout == 0);
    config->window = 3;
    assert_ok(ebm_config_save(config, *state));
    assert_ok(ebm_config_load(*state, &back));
    assert_int_equal(back->window, 3);
    assert_memory_equal(back->local_layers, config->local_layers, sizeof config->local_layers);
    back->window = 0;
    assert_fails(ebm_config_save(back, *state), EBM_ERROR_INPUT, "local_attention: expected a number from 2 on");
    ebm_config_free(config);
    ebm_config_free(back);
}

static const struct {
    const char *patch;
    ebm_code code;
    const char *sentence;
} REFUSED[] = {
    {"{\"hidden_activation\": \"relu\"}", EBM_ERROR_UNSUPPORTED,
     "hidden_activation: expected \"gelu\", found \"relu\""},
    {"{\"classifier_activation\": \"silu\"}", EBM_ERROR_UNSUPPORTED,
     "classifier_activation: expected \"gelu\", found \"silu\""},
    {"{\"classifier_pooling\": \"max\"}", EBM_ERROR_UNSUPPORTED,
     "classifier_pooling: expected \"cls\" or \"mean\", found \"max\""},
    {"{\"norm_bias\": 1}", EBM_ERROR_INPUT, "norm_bias: expected true or false, found 1"},
    {"{\"local_attention\": 1}", EBM_ERROR_INPUT, "local_attention: expected a number from 2 on, found 1"},
    {"{\"local_attention\": \"all\"}", EBM_ERROR_INPUT, "local_attention: expected a number from 2 on, found \"all\""},
    {"{\"sliding_window\": 64}", EBM_ERROR_UNSUPPORTED,
     "sliding_window: expected no such key beside local_attention, found 64"},
    {"{\"global_attn_every_n_layers\": 0}", EBM_ERROR_INPUT,
     "global_attn_every_n_layers: expected a number from 1 on, found 0"},
    {"{\"layer_types\": [\"full_attention\"]}", EBM_ERROR_INPUT,
     "layer_types: expected a list of num_hidden_layers entries, found [\"full_attention\"]"},
    {"{\"num_hidden_layers\": 1, \"layer_types\": [\"chunked_attention\"]}", EBM_ERROR_UNSUPPORTED,
     "layer_types: expected \"full_attention\" or \"sliding_attention\" for layer 0"},
    {"{\"num_hidden_layers\": 1, \"layer_types\": [7]}", EBM_ERROR_UNSUPPORTED, "for layer 0"},
    {"{\"num_hidden_layers\": 4000000000}", EBM_ERROR_INPUT, "num_hidden_layers: expected a number from 1 to 1000"},
    {"{\"global_rope_theta\": null}", EBM_ERROR_INPUT, "global_rope_theta: expected a number above 0, found null"},
    {"{\"local_rope_theta\": -1}", EBM_ERROR_INPUT,
     "rope_theta of sliding_attention: expected a number above 0 and below 1e30, found -1"},
    {"{\"rope_scaling\": {\"type\": \"linear\"}}", EBM_ERROR_UNSUPPORTED, "rope_scaling: expected null, found"},
    {"{\"rope_parameters\": []}", EBM_ERROR_INPUT, "rope_parameters: expected an object of layer types, found []"},
    {"{\"rope_parameters\": {\"full_attention\": 3}}", EBM_ERROR_INPUT,
     "full_attention: expected an object of rope_type and rope_theta, found 3"},
    {"{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\"}}}", EBM_ERROR_UNSUPPORTED,
     "rope_parameters: full_attention: rope_type: expected \"default\", found \"yarn\""},
    {"{\"rope_parameters\": {\"sliding_attention\": {\"rope_theta\": \"x\"}}}", EBM_ERROR_INPUT,
     "rope_parameters: sliding_attention: rope_theta: expected a number above 0, found \"x\""},
    {"{\"vocab_size\": 50000}", EBM_ERROR_INPUT, "pad_token_id: expected an id below vocab_size 50000, found 50283"},
    {"{\"num_attention_heads\": 32}", EBM_ERROR_UNSUPPORTED, "of a multiple of 16 up to 128, found 24"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        put_config(*state, BASE, REFUSED[i].patch);
        ebm_config *config = NULL;
        assert_fails(ebm_config_load(*state, &config), REFUSED[i].code, REFUSED[i].sentence);
        assert_fails(ebm_config_load(*state, &config), REFUSED[i].code, "/config.json: ");
        assert_null(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_old_names), in_own_folder(test_new_names),    in_own_folder(test_switches_and_dropouts),
        in_own_folder(test_defaults),  in_own_folder(test_from_scratch), in_own_folder(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
