/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help for people, from the tables of options.h.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

struct buf;
struct firn_error;
struct option;
struct plugin;
struct verb;

int help_program(struct firn_error **err);
int help_verb(const struct verb *verb, struct firn_error **err);

/* "-r, --repository REPO" as in a help, appended. */
void help_option_name(struct buf *out, const struct option *option);
/* text broken into lines, each after `indent` blanks. */
void help_paragraph(struct buf *out, const char *text, unsigned indent);

#endif
