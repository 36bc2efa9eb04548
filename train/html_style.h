// Internal. The style sheet of html.h's pages. Classes of figures: c0 .. c7 are the colours of Okabe and Ito (2008),
// which colour-blind readers tell apart; black comes in the colour of text, yellow last, as it is weak on white.
#ifndef EBM_HTML_STYLE_H
#define EBM_HTML_STYLE_H

#define EBM_HTML_COLOURS 8
extern const char ebm_html_style[];

#endif
