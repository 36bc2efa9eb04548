// Internal. Text from users inside a model card: file names and labels may hold anything, the card must stay what it
// is.
#ifndef EBM_CARD_TEXT_H
#define EBM_CARD_TEXT_H

#include <stdbool.h>
#include <stdio.h>

// A double-quoted YAML string: one line whatever the text holds; what is not UTF-8 becomes U+FFFD.
void ebm_card_yaml(FILE *out, const char *text);
// The same as running text of Markdown, also in a table: punctuation escaped, line ends and controls as blanks.
void ebm_card_markdown(FILE *out, const char *text);

// What stands behind the last '/' of a path, '/' at its end not counted; for the caller to free(). NULL: no memory.
char *ebm_card_base_name(const char *path);
// The name of a model that was given as a directory or by its name on the hub: a directory of the hub's cache is called
// what it is called there, another by its last part. For the caller to free(); NULL: no memory.
char *ebm_card_model_name(const char *model);
// How a model can be named on the hub: "name" or "owner/name" of letters, digits, '-', '_' and '.'.
bool ebm_card_is_repository(const char *name);

#endif
