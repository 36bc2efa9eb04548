"""The families that are compared, a line each: (tokenizer of make_tokenizers.py, model type of transformers, its sizes).

Sizes are small, vocabularies whole. A new family is a line here, and one in make_tokenizers.py where its tokenizer is new.
"""
import copy

import torch

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 112}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ROBERTA = {**SMALL, **NO_DROPOUT, "max_position_embeddings": 130, "type_vocab_size": 1, "pad_token_id": 1, "bos_token_id": 0,
           "eos_token_id": 2, "layer_norm_eps": 1e-5}
BERT = {**SMALL, **NO_DROPOUT, "max_position_embeddings": 128, "type_vocab_size": 2, "pad_token_id": 0}
DISTILBERT = {"dim": 64, "n_layers": 2, "n_heads": 2, "hidden_dim": 112, "max_position_embeddings": 128, "dropout": 0.0,
              "attention_dropout": 0.0, "seq_classif_dropout": 0.0}
# Sequences reach over the local layers' window of 8 tokens on both sides.
MODERNBERT = {**SMALL, "num_hidden_layers": 4, "max_position_embeddings": 256, "global_attn_every_n_layers": 3,
              "local_attention": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1, "cls_token_id": 1,
              "sep_token_id": 1}

FAMILIES = {
    "bert-uncased": ("bert-uncased", "bert", BERT),
    "bert-cased": ("bert-cased", "bert", {**BERT, "num_hidden_layers": 1, "num_labels": 2}),
    "bert-chinese": ("bert-chinese", "bert", {**BERT, "num_attention_heads": 1, "num_labels": 7}),
    "roberta": ("roberta", "roberta", ROBERTA),
    "xlm-roberta": ("xlm-roberta-json", "xlm-roberta", ROBERTA),
    "distilbert": ("bert-uncased", "distilbert", DISTILBERT),
    "electra": ("bert-uncased", "electra", {**BERT, "embedding_size": 32}),
    "modernbert": ("modernbert-json", "modernbert", {**MODERNBERT, "classifier_pooling": "cls"}),
    "modernbert-mean": ("modernbert-json", "modernbert", {**MODERNBERT, "classifier_pooling": "mean"}),
}
DECODERS = {
    "gpt2": ("gpt2", "gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 256, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
                              "attn_pdrop": 0.0}),
}


class Energy(torch.nn.Module):
    """The scalar energy's head on the pooled vector: dense, tanh, linear (dropout is 0 here)."""

    def __init__(self, hidden):
        super().__init__()
        self.dense = torch.nn.Linear(hidden, hidden)
        self.out_proj = torch.nn.Linear(hidden, 1)

    def forward(self, pooled):
        return self.out_proj(torch.tanh(self.dense(pooled))).squeeze(-1)


def randomise(module, generator):
    """Weights large enough that texts differ in their logits, and that no gradient is lost in rounding."""
    for name, p in module.named_parameters():
        if p.dim() == 1 and "norm" in name.lower() + ("norm" if ".ln_" in name else "") and name.endswith("weight"):
            p.data.normal_(1.0, 0.1, generator=generator)
        else:
            p.data.normal_(0.0, 0.2 if p.dim() == 2 else 0.1, generator=generator)


def in_precision(module, dtype):
    return copy.deepcopy(module).to(dtype)
