/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "cli.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/mem.h"
#include "manual.h"
#include "output.h"

#include <string.h>

#define HELP_LONGEST (256u * 1024u)
#define WIDTH        100u
#define OPTION_WIDTH 34u

void help_paragraph(struct buf *out, const char *text, unsigned indent)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (length > 0 && column > 0 && column + 1 + length > WIDTH) {
            buf_putc(out, '\n');
            column = 0;
        }
        if (length > 0) {
            buf_printf(out, "%*s%.*s", column == 0 ? (int)indent : 1, "", (int)length, text);
            column += column == 0 ? indent + length : length + 1;
        }
        text += length;
        if (strncmp(text, "\n\n", 2) == 0) {
            buf_puts(out, "\n\n");
            column = 0;
        }
        text += strspn(text, " \n");
    }
    if (column > 0)
        buf_putc(out, '\n');
}

void help_option_name(struct buf *out, const struct option *option)
{
    if (option->letter != 0)
        buf_printf(out, "-%c, ", option->letter);
    buf_printf(out, "--%s", option->name);
    if (option_takes_value(option))
        buf_printf(out, option->optional ? "[=%s]" : " %s", option->value);
}

static void put_option(struct buf *out, const char *name, const char *description)
{
    auto_buf struct buf text = buf_new(4096);
    help_paragraph(&text, description, OPTION_WIDTH + 2);
    if (strlen(name) + 2 < OPTION_WIDTH)
        buf_printf(out, "  %-*s%s", (int)OPTION_WIDTH, name, buf_text(&text) + OPTION_WIDTH + 2);
    else
        buf_printf(out, "  %s\n%s", name, buf_text(&text));
}

static void put_options(struct buf *out, const char *title, const struct option *table)
{
    if (table == NULL)
        return;
    buf_printf(out, "\n%s\n", title);
    for (; table->name != NULL; table++) {
        auto_buf struct buf name = buf_new(256);
        auto_buf struct buf description = buf_new(4096);
        help_option_name(&name, table);
        buf_puts(&description, table->description);
        if (table->environment != NULL)
            buf_printf(&description, " [$%s]", table->environment);
        put_option(out, buf_text(&name), buf_text(&description));
    }
}

int help_program(struct firn_error **err)
{
    auto_buf struct buf out = buf_new(HELP_LONGEST);
    buf_puts(&out, "Firn backs up virtual machines, disks and container images into a "
                   "deduplicating, encrypted repository.\n\n"
                   "  firn [OPTIONS] VERB [ARGUMENTS]\n\nVerbs\n");
    for (size_t i = 0; verbs[i] != NULL; i++)
        buf_printf(&out, "  %-14s%s\n", verbs[i]->name, verbs[i]->summary);
    put_options(&out, "Options of all verbs", options_global);
    buf_puts(&out, "\nThe first steps\n"
                   "  firn -r /backup init --new-key firn.key\n"
                   "  firn -r /backup --key-file firn.key backup image:/var/lib/disk.img\n"
                   "  firn -r /backup --key-file firn.key restore latest --target /tmp/disk.img\n\n"
                   "`firn help VERB` explains a verb, `firn help PLUGIN` a plugin, `firn help "
                   "plugins` lists the plugins.\n");
    return output_text(buf_text(&out), out.length, err);
}

int help_verb(const struct verb *verb, struct firn_error **err)
{
    auto_buf struct buf out = buf_new(HELP_LONGEST);
    buf_printf(&out, "firn %s: %s\n\n  firn %s %s\n\n", verb->name, verb->summary, verb->name,
               verb->operands);
    help_paragraph(&out, verb->description, 0);
    put_options(&out, "Options", verb->options);
    if (verb->plugin_options)
        buf_puts(&out, "  --PARAM VALUE                     a parameter of the plugin in use: see "
                       "`firn help PLUGIN`\n");
    if (verb->examples != NULL)
        buf_puts(&out, "\nExamples\n");
    for (const struct example *example = verb->examples;
         example != NULL && example->command != NULL; example++)
        buf_printf(&out, "  # %s\n  %s\n", example->what, example->command);
    buf_puts(&out, "\nThe options of all verbs: `firn help`.\n");
    return output_text(buf_text(&out), out.length, err);
}

/* ------------------------------------------------------------------------------------------------ plugins */

static int help_plugin(const struct cli *cli, const char *name, struct firn_error **err)
{
    const struct plugin *plugin;
    auto_buf struct buf out = buf_new(HELP_LONGEST);
    if (plugins_load(cli->plugins, name, &plugin, err) < 0)
        return -1;
    buf_printf(&out, "%s %s: %s\n(%s)\n\nSources   %s:REFERENCE\n", plugin->name,
               plugin->api.version, plugin->api.description, plugin->path, plugin->name);
    if (plugin->api.target != NULL)
        buf_printf(&out, "Targets   %s:…\n", plugin->api.target);
    buf_printf(&out,
               "\nParameters (--set %s.PARAM=VALUE, --PARAM VALUE, or `plugins: %s:` in the "
               "configuration)\n",
               plugin->name, plugin->name);
    for (size_t i = 0; i < plugin->param_count; i++) {
        const struct firn_param *param = &plugin->api.params[i];
        auto_free char *left = mem_printf("%s %s", param->name, setting_type_name(param->type));
        auto_free char *right =
            param->fallback != NULL
                ? mem_printf("%s (default: %s)", param->description, param->fallback)
                : mem_strdup(param->description);
        put_option(&out, left, right);
    }
    return output_text(buf_text(&out), out.length, err);
}

static int list_plugins(const struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"NAME", "name", COLUMN_TEXT},
                                            {"VERSION", "version", COLUMN_TEXT},
                                            {"TARGET", "target", COLUMN_TEXT},
                                            {"DESCRIPTION", "description", COLUMN_TEXT}};
    auto_json struct json_object *array = json_object_new_array();
    char **names;
    size_t count;
    plugins_names(cli->plugins, &names, &count);
    for (size_t i = 0; i < count; i++) {
        const struct plugin *plugin;
        auto_error struct firn_error *why = NULL;
        struct json_object *row = json_object_new_object();
        json_set_string(row, "name", names[i]);
        if (plugins_load(cli->plugins, names[i], &plugin, &why) == 0) {
            json_set_string(row, "version", plugin->api.version);
            json_set_string(row, "target", plugin->api.target);
            json_set_string(row, "description", plugin->api.description);
            json_set_string(row, "path", plugin->path);
        } else {
            json_set_string(row, "description", error_message(why));
        }
        json_object_array_add(array, row);
    }
    plugins_names_free(names, count);
    return output_list(cli, array, columns, array_length(columns), "no plugins were found", err);
}

/* ------------------------------------------------------------------------------------------------ the verb */

static int print_manual(struct cli *cli, const char *name, struct firn_error **err)
{
    auto_buf struct buf out = buf_new(HELP_LONGEST);
    const struct verb *verb = name != NULL ? verb_find(name, strlen(name)) : NULL;
    if (name != NULL && verb == NULL)
        return usage(cli, err, "there is no manual page for \"%s\"", name);
    if (verb != NULL)
        manual_verb(&out, verb);
    else
        manual_program(&out);
    return output_text(buf_text(&out), out.length, err);
}

static int print_verbs(struct firn_error **err)
{
    auto_buf struct buf out = buf_new(HELP_LONGEST);
    for (size_t i = 0; verbs[i] != NULL; i++)
        buf_printf(&out, "%s\n", verbs[i]->name);
    return output_text(buf_text(&out), out.length, err);
}

static int run(struct cli *cli, struct firn_error **err)
{
    const char *name = arguments_operand(cli->arguments, 0);
    if (argument_flag(cli->arguments, "verbs"))
        return print_verbs(err);
    if (argument_flag(cli->arguments, "man"))
        return print_manual(cli, name, err);
    if (name == NULL)
        return help_program(err);
    const struct verb *verb = verb_find(name, strlen(name));
    if (verb != NULL)
        return help_verb(verb, err);
    if (strcmp(name, "plugins") == 0)
        return list_plugins(cli, err);
    if (help_plugin(cli, name, err) < 0) {
        cli->status = EXIT_USAGE;
        return wrap(err, "there is no verb \"%s\"", name);
    }
    return 0;
}

static const struct option options[] = {
    {.name = "man",
     .type = OPTION_FLAG,
     .description = "print the manual page in man(7) macros instead"},
    {.name = "verbs",
     .type = OPTION_FLAG,
     .description = "print the names of the verbs, one a line"},
    {0},
};

static const struct example examples[] = {
    {"the parameters of the plugin for disk images", "firn help image"},
    {"read a manual page that is not installed", "firn help --man backup | man -l -"},
    {0},
};

const struct verb verb_help = {
    .name = "help",
    .operands = "[VERB | PLUGIN | plugins]",
    .summary = "explain the program, a verb, or a plugin and its parameters",
    .description =
        "Without a word, lists the verbs and the options of all verbs. With the name of a verb, "
        "explains it; with "
        "the name of a plugin, lists its parameters; `plugins` lists the plugins that were found.",
    .options = options,
    .examples = examples,
    .most = 1,
    .run = run,
};
