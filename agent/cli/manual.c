/* SPDX-License-Identifier: Apache-2.0 */
#include "manual.h"

#include "core/buf.h"
#include "options.h"

#include <ctype.h>
#include <string.h>

/* Text for roff: no backslash, hyphen or leading dot means what it must not. */
static void put_text(struct buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool line_start = at == text || at[-1] == '\n';
        if (line_start && (*at == '.' || *at == '\''))
            buf_puts(out, "\\&");
        if (*at == '\\')
            buf_puts(out, "\\e");
        else if (*at == '-')
            buf_puts(out, "\\-");
        else if (*at == '`')
            buf_puts(out, "\\(oq");
        else if (strncmp(at, "…", strlen("…")) == 0) {
            buf_puts(out, "...");
            at += strlen("…") - 1;
        } else
            buf_putc(out, *at);
    }
}

static void put_upper(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        buf_putc(out, (char)toupper((unsigned char)*text));
}

static void put_paragraphs(struct buf *out, const char *text)
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t length = end != NULL ? (size_t)(end - text) : strlen(text);
        auto_buf struct buf paragraph = buf_new(65536);
        buf_append(&paragraph, text, length);
        put_text(out, buf_text(&paragraph));
        buf_puts(out, "\n");
        text += length;
        if (end != NULL)
            buf_puts(out, ".PP\n");
        text += strspn(text, "\n");
    }
}

static void put_option(struct buf *out, const struct option *option)
{
    buf_puts(out, ".TP\n");
    if (option->letter != 0)
        buf_printf(out, "\\fB\\-%c\\fR, ", option->letter);
    buf_puts(out, "\\fB\\-\\-");
    put_text(out, option->name);
    buf_puts(out, "\\fR");
    if (option_takes_value(option)) {
        buf_puts(out, option->optional ? "[=\\fI" : " \\fI");
        put_text(out, option->value);
        buf_puts(out, option->optional ? "\\fR]" : "\\fR");
    }
    buf_putc(out, '\n');
    put_text(out, option->description);
    if (option->environment != NULL)
        buf_printf(out, " (environment: \\fB%s\\fR)", option->environment);
    buf_puts(out, ".\n");
}

static void put_options(struct buf *out, const struct option *table)
{
    for (; table != NULL && table->name != NULL; table++)
        put_option(out, table);
}

static void put_title(struct buf *out, const char *verb, const char *summary)
{
    buf_puts(out, ".TH FIRN");
    if (verb != NULL) {
        buf_puts(out, "\\-");
        put_upper(out, verb);
    }
    buf_puts(out, " 1 \"\" \"Firn " FIRN_VERSION "\" \"Firn Manual\"\n.SH NAME\nfirn");
    if (verb != NULL)
        buf_printf(out, "\\-%s", verb);
    buf_puts(out, " \\- ");
    put_text(out, summary);
    buf_puts(out, "\n.SH SYNOPSIS\n");
}

void manual_verb(struct buf *out, const struct verb *verb)
{
    put_title(out, verb->name, verb->summary);
    buf_printf(out, "\\fBfirn\\fR [\\fIOPTIONS\\fR] \\fB%s\\fR ", verb->name);
    put_text(out, verb->operands);
    buf_puts(out, "\n.SH DESCRIPTION\n");
    put_paragraphs(out, verb->description);
    if (verb->options != NULL)
        buf_puts(out, ".SH OPTIONS\n");
    put_options(out, verb->options);
    if (verb->plugin_options)
        buf_puts(out, ".PP\nThe parameters of the plugin in use are options, too; \\fBfirn "
                      "help\\fR \\fIPLUGIN\\fR lists "
                      "them.\n");
    if (verb->examples != NULL)
        buf_puts(out, ".SH EXAMPLES\n");
    for (const struct example *example = verb->examples;
         example != NULL && example->command != NULL; example++) {
        buf_puts(out, ".PP\n");
        put_text(out, example->what);
        buf_puts(out, ":\n.PP\n.RS 4\n.nf\n");
        put_text(out, example->command);
        buf_puts(out, "\n.fi\n.RE\n");
    }
    buf_puts(out, ".SH \"SEE ALSO\"\n\\fBfirn\\fR(1) for the options of all verbs, the environment "
                  "and the exit codes.\n");
}

static const char exit_codes[] = ".SH \"EXIT CODES\"\n"
                                 ".TP\n0\ndone\n"
                                 ".TP\n1\nfailed\n"
                                 ".TP\n2\nthe command line or the configuration is wrong\n"
                                 ".TP\n3\ndone in part: some source failed\n"
                                 ".TP\n10\nthere is no repository\n"
                                 ".TP\n11\nanother holds what is needed\n"
                                 ".TP\n12\nthe key does not open the repository\n"
                                 ".TP\n13\ndamage was found\n"
                                 ".TP\n130\ninterrupted\n";

static const char environment[] =
    ".SH ENVIRONMENT\n"
    "Options name the variables that stand for them. Besides:\n"
    ".TP\n\\fBFIRN_PASSWORD\\fR\nthe passphrase\n"
    ".TP\n\\fBFIRN_NEW_PASSWORD\\fR\nthe passphrase of a key that is being made\n"
    ".TP\n\\fBFIRN_PLUGIN_PATH\\fR\ndirectories in which plugins are looked for\n"
    ".SH FILES\n"
    ".TP\n\\fI$XDG_CONFIG_HOME/firn/config.yaml\\fR, \\fI/etc/firn/config.yaml\\fR\n"
    "the configuration: any option of all verbs by its long name, and under \\fBplugins\\fR the "
    "parameters of each plugin\n";

void manual_program(struct buf *out)
{
    put_title(out, NULL, "back up virtual machines, disks and container images");
    buf_puts(out,
             "\\fBfirn\\fR [\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n"
             "Firn writes snapshots of virtual machines, disks and container images into a "
             "repository that is "
             "deduplicated,\nencrypted and never changed in place, and that can be read back with "
             "this program and a key "
             "alone.\n.SH VERBS\n");
    for (size_t i = 0; verbs[i] != NULL; i++) {
        buf_printf(out, ".TP\n\\fB%s\\fR\n", verbs[i]->name);
        put_text(out, verbs[i]->summary);
        buf_printf(out, "; see \\fBfirn\\-%s\\fR(1).\n", verbs[i]->name);
    }
    buf_puts(out, ".SH OPTIONS\n");
    put_options(out, options_global);
    buf_puts(out, environment);
    buf_puts(out, exit_codes);
}
