// What one arithmetic of encoders implements, behind encoder.h: encoder.c checks and dispatches. A form's own struct
// begins with an ebm_encoder:
//
//     typedef struct { ebm_encoder base; ... } my_encoder;
//     const ebm_encoder_form ebm_encoder_mine = {.size = sizeof(my_encoder), .create = create, ...};
#ifndef EBM_ENCODER_FORM_H
#define EBM_ENCODER_FORM_H

#include "encoder.h"
#include "family_traits.h"
#include "layers.h"
#include "operations.h"

struct ebm_encoder {
    const ebm_encoder_form *form;
    ebm_device *device;
    const ebm_config *config;
    const ebm_family_traits *family; // of the config
    ebm_limits limits;
    bool half;                    // what backward needs is stored as halves
    bool keeps;                   // the last forward pass did so
    bool first_only;              // the last forward pass made the first tokens' vectors alone
    float half_scale, kept_scale; // of the next and of the last forward pass
    ebm_arena *arena;
    const ebm_slice *output;         // (tokens, C): where create planned it
    ebm_slice first[2];              // (sequences, C): scratch where only first tokens go on, see ebm_encoder_go_on
    ebm_slice gradient;              // (tokens, C): planned by create when training
    ebm_backward_listener *listener; // NULL: none
    void *listener_context;
};

struct ebm_encoder_form {
    size_t size; // of the form's struct; it comes zeroed, the fields above up to the arena filled in
    // Names all parameters and plans all activations. On an error release is called.
    ebm_status (*create)(ebm_encoder *encoder, ebm_parameters *parameters);
    ebm_status (*fill)(ebm_encoder *encoder); // writes constants into the allocated arena; NULL: there are none
    void (*release)(ebm_encoder *encoder);    // frees what create allocated on the host
    // The batch is known to fit; backward only comes to encoders planned for training.
    ebm_status (*forward)(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run);
    ebm_status (*backward)(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run);
};

extern const ebm_encoder_form ebm_encoder_post_norm;  // BERT and all who share its arithmetic
extern const ebm_encoder_form ebm_encoder_modernbert; // pre-norm, rotary positions, GeGLU, local attention

// For the forms: to be called in the backward pass when the gradients of tensors `first` and above are complete.
ebm_status ebm_encoder_tell(const ebm_encoder *encoder, size_t first);

// For the forms, with half storage, else they do nothing: what forward made is packed, and unpacked in backward.
ebm_status ebm_encoder_keep(ebm_encoder *encoder, ebm_slice halves, ebm_slice x, size_t count);
ebm_status ebm_encoder_restore(ebm_encoder *encoder, ebm_slice x, ebm_slice halves, size_t count);

// For the forms: the dropout of a place (off unless the run trains), and the site of a layer's place 0, 1, 2.
ebm_dropout ebm_encoder_dropout(const ebm_batch *batch, const ebm_run *run, float probability, uint32_t site);
uint32_t ebm_encoder_layer_site(size_t layer, uint32_t place);

// For the forms, behind the attention of a layer: all rows go on, or those of first tokens in the last layer when only
// they are wanted. How many there are, and the dropout of a place there.
bool ebm_encoder_narrows(const ebm_encoder *encoder, size_t layer);
size_t ebm_encoder_rows_behind(const ebm_encoder *encoder, size_t layer, const ebm_batch *batch);
ebm_dropout ebm_encoder_dropout_behind(const ebm_encoder *encoder, size_t layer, const ebm_batch *batch,
                                       const ebm_run *run, float probability, uint32_t place);
// *context and *residual (tokens, C) become (sequences, C) in first[0] and first[1] where the layer narrows.
ebm_status ebm_encoder_go_on(ebm_encoder *encoder, size_t layer, const ebm_batch *batch, ebm_slice *context,
                             ebm_slice *residual);
// The backward pass of the linear layer behind the attention, and what go_on did: from d_out and base.gradient, of the
// rows that went on, come d_context and base.gradient of all tokens (0 where one did not go on). d_out may be
// base.gradient. context: (tokens, C).
ebm_status ebm_encoder_come_back(ebm_encoder *encoder, size_t layer, const ebm_batch *batch, const ebm_linear *out,
                                 ebm_slice d_context, ebm_slice d_out, ebm_slice context, ebm_slice scratch);

// "<prefix><name>" and "<prefix><layer>.<number>.<name>". No family has a name that is too long for it.
typedef char ebm_encoder_name[sizeof(((ebm_parameter *)0)->name)];
void ebm_encoder_embedding_name(const ebm_encoder *encoder, const char *name, ebm_encoder_name full);
void ebm_encoder_layer_name(const ebm_encoder *encoder, size_t layer, const char *name, ebm_encoder_name full);

#endif
