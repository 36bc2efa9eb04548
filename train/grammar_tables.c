#include "grammar_tables.h"

const char *const ebm_grammar_labels[EBM_GRAMMAR_LABELS] = {"complaint", "praise", "question"};
const double ebm_grammar_prior[EBM_GRAMMAR_LABELS] = {0.4, 0.35, 0.25};

const ebm_grammar_group ebm_grammar_groups[] = {
    {"THING",
     "room table soup bed window kitchen lamp menu bread chair door balcony bathroom dinner pillow platform",
     {3, 3, 3}},
    {"THING",
     "plate glass floor wall stairs garage hall desk clock phone radio basket bottle cup spoon blanket",
     {3, 3, 3}},
    {"THING", "heating shower lift carpet bill queue smell noise", {5, 1.5, 2}},
    {"THING", "view garden breakfast coffee music terrace dessert fireplace", {1.5, 5, 2}},
    {"THING", "ticket receipt towel parking taxi invoice key timetable", {2, 2, 5}},
    {"STAFF", "waiter manager cook porter driver guide clerk host owner cleaner", {3, 3, 3}},
    {"STAFF", "boss inspector guard", {4, 2, 2}},
    {"STAFF", "baker gardener pianist", {2, 4, 2}},
    {"PLACE",
     "hotel cafe station shop hostel museum clinic office airport market harbour library school theatre",
     {3, 3, 3}},
    {"ADJ", "awful broken dirty rude stale leaking sour ruined", {7, 1, 1.5}},
    {"ADJ", "lovely perfect superb fresh friendly spotless charming delicious", {1, 7, 1.5}},
    {"ADJ", "slow small dull loud tired crowded cold late", {4, 1.5, 2.5}},
    {"ADJ", "nice clean calm bright cheap easy neat warm", {1.5, 4, 2.5}},
    {"ADJ", "larger quieter extra spare different free open available", {1.5, 1.5, 5}},
    {"ADJ", "usual new big short long blue round local white wooden heavy narrow", {3, 3, 3}},
    {"VERB", "returned refused cancelled disliked missed left", {6, 1, 1.5}},
    {"VERB", "enjoyed loved praised recommended admired liked", {1, 6, 1.5}},
    {"VERB", "requested wanted checked compared reserved counted", {2, 2, 5}},
    {"VERB", "ordered saw found tried used booked had got shared paid", {3, 3, 3}},
    {"ADV", "sadly again barely finally unfortunately", {5, 1.5, 2}},
    {"ADV", "gladly always happily often fully", {1.5, 5, 2}},
    {"ADV", "maybe perhaps possibly", {2, 2, 5}},
    {"ADV", "then there also only just first", {3, 3, 3}},
    {"VERY", "very too so far quite", {4, 3, 2}},
    {"VERY", "really truly rather", {2, 4, 2}},
    {"DAY", "monday tuesday wednesday thursday friday saturday sunday", {3, 3, 3}},
    {"DAY", "christmas holiday", {2, 4, 2}},
    {"NUMBER", "one two three four five six seven eight nine ten", {3, 3, 3}},
    {"FEEL", "angry annoyed upset unhappy", {6, 1, 1.5}},
    {"FEEL", "happy glad pleased thankful", {1, 6, 1.5}},
    {"FEEL", "curious unsure undecided", {2, 2, 5}},
    {"FEEL", "surprised quiet awake busy", {3, 3, 3}},
};
const size_t ebm_grammar_group_count = sizeof ebm_grammar_groups / sizeof *ebm_grammar_groups;

const ebm_grammar_template ebm_grammar_templates[] = {
    {"the THING at the PLACE was ?VERY ADJ", {3, 3, 1.5}},
    {"we ?ADV VERB the ADJ THING on DAY", {3, 3, 2}},
    {"i VERB the THING and the STAFF was ADJ", {3, 3, 1}},
    {"the STAFF told us that the THING is ADJ", {2, 2, 2}},
    {"is the THING ADJ or is it ?VERY ADJ", {1.2, 0.6, 4}},
    {"could the STAFF bring a ADJ THING on DAY", {1.5, 0.7, 4}},
    {"a ADJ THING for NUMBER people in the PLACE", {2, 2, 3}},
    {"we are ?VERY FEEL about the THING", {2, 2, 1.5}},
    {"the THING was ADJ but the THING was ADJ", {3, 3, 1}},
    {"NUMBER of us VERB the THING in the PLACE", {2, 2, 2}},
    {"please tell the STAFF that the THING was ADJ", {2.5, 2, 2}},
    {"after NUMBER days the THING was ?VERY ADJ", {3, 2, 1}},
    {"the THING in the PLACE", {1, 1, 1}},
    {"on DAY the STAFF ?ADV VERB a THING", {2, 2, 2}},
};
const size_t ebm_grammar_template_count = sizeof ebm_grammar_templates / sizeof *ebm_grammar_templates;
