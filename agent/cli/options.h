/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options and verbs: the tables that the parser, `firn help`, the manual pages and the completion are all made from.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct firn_error;

enum option_type {
    OPTION_FLAG = 1,
    OPTION_COUNT, /* a flag that may be repeated: -vv */
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_CHOICE, /* value is "a|b|c" */
    OPTION_NUMBER, /* 0 … 2^31 - 1 */
    OPTION_DURATION,
    OPTION_LIST, /* text, may be repeated */
};

struct option {
    const char *name;
    char letter; /* 0: none */
    enum option_type type;
    bool optional;     /* the value may be left out; if given, then as --name=VALUE */
    const char *value; /* what stands for the value in the help; the words of a CHOICE */
    const char
        *environment; /* variable that gives the value when the command line does not; NULL: none */
    const char *description; /* a sentence without full stop */
};

struct example {
    const char *what;
    const char *command;
};

struct verb {
    const char *name;
    const char *operands;           /* as in the synopsis */
    const char *summary;            /* a sentence without full stop */
    const char *description;        /* paragraphs, separated by empty lines */
    const struct option *options;   /* ends with a NULL name; NULL: none */
    const struct example *examples; /* ends with a NULL command */
    size_t least, most;             /* operands */
    bool plugin_options;            /* takes --PARAM of the plugin in use */
    int (*run)(struct cli *cli, struct firn_error **err);
};

extern const struct option options_global[];
extern const struct verb *const verbs[]; /* in the order of the help; ends with NULL */

const struct verb *verb_find(const char *name, size_t length); /* NULL: there is none */
/* The option in the table (NULL: empty) of that long name, or letter; NULL: none. */
const struct option *option_find(const struct option *table, const char *name, size_t length);
const struct option *option_find_letter(const struct option *table, char letter);
bool option_takes_value(const struct option *option);

extern const struct verb verb_init, verb_backup, verb_snapshots, verb_show, verb_diff, verb_restore,
    verb_export, verb_copy, verb_check, verb_repair, verb_forget, verb_hold, verb_prune, verb_stats,
    verb_key, verb_cat, verb_version, verb_help, verb_completion;

#endif
