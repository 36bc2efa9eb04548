// Scores of a Unigram model as the tokenizers library reads them.
#ifndef EBM_UNIGRAM_SCORE_H
#define EBM_UNIGRAM_SCORE_H

// The library's JSON reader does not round a number correctly: it divides the number's digits, as an integer, by a
// power of ten, which may be off in the last bit. Ways through a text that are permutations of the same tokens have
// sums that differ in the last bits only, so which one wins hangs on them.
//
// value: the number as it stands in the file, correctly rounded. Its digits are taken to be the fewest that tell it
// from its neighbours, as all writers of such files have them. Source: serde_json/src/de.rs (f64_from_parts, without
// the feature float_roundtrip).
double ebm_unigram_score(double value);

#endif
