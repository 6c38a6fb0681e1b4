/* SPDX-License-Identifier: Apache-2.0 */
/* firn completion: a script for bash, made from the tables of options.h. It needs nothing of the bash-completion package. */
#include "cli.h"
#include "core/buf.h"
#include "output.h"

#include <string.h>

#define SCRIPT_LONGEST (256u * 1024u)

static void put_names(struct buf *out, const struct option *table)
{
    for (; table != NULL && table->name != NULL; table++) {
        buf_printf(out, " --%s%s", table->name,
                   option_takes_value(table) && table->optional ? "=" : "");
        if (table->letter != 0)
            buf_printf(out, " -%c", table->letter);
    }
}

static void put_pattern(struct buf *out, const struct option *option)
{
    buf_printf(out, "--%s", option->name);
    if (option->letter != 0)
        buf_printf(out, "|-%c", option->letter);
}

/* What completes the value of an option. */
static void put_value_case(struct buf *out, const char *indent, const struct option *option)
{
    if (!option_takes_value(option) || option->optional)
        return;
    buf_puts(out, indent);
    put_pattern(out, option);
    if (option->type == OPTION_PATH || strcmp(option->name, "repository") == 0 ||
        strcmp(option->name, "target") == 0)
        buf_puts(out, ") _firn_files; return ;;\n");
    else if (option->type == OPTION_CHOICE)
        buf_printf(out, ") _firn_words \"$(tr '|' ' ' <<< '%s')\"; return ;;\n", option->value);
    else
        buf_puts(out, ") COMPREPLY=(); return ;;\n");
}

static void put_verb_cases(struct buf *out)
{
    for (size_t i = 0; verbs[i] != NULL; i++) {
        const struct option *table = verbs[i]->options;
        buf_printf(out, "        %s)\n            options=\"", verbs[i]->name);
        put_names(out, table);
        buf_puts(out, "\"\n            case $previous in\n");
        for (; table != NULL && table->name != NULL; table++)
            put_value_case(out, "                ", table);
        buf_puts(out, "            esac\n            ;;\n");
    }
}

static void put_options_with_value(struct buf *out, const struct option *table)
{
    for (; table != NULL && table->name != NULL; table++)
        if (option_takes_value(table) && !table->optional) {
            buf_putc(out, '|');
            put_pattern(out, table);
        }
}

static const char head[] =
    "# bash completion of firn; load it with: source <(firn completion bash)\n"
    "_firn_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$current\")); }\n"
    "_firn_files() { COMPREPLY=($(compgen -f -- \"$current\")); compopt -o filenames; }\n"
    "_firn() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local verb= word options= i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n";

static const char words[] = "    if [[ $current == -* ]]; then\n"
                            "        _firn_words \"$options $global\"\n"
                            "    elif [[ -z $verb ]]; then\n"
                            "        _firn_words \"$verbs\"\n"
                            "    else\n"
                            "        case $verb in\n"
                            "        help) _firn_words \"$verbs plugins $plugins\" ;;\n"
                            "        key) _firn_words 'list add remove' ;;\n"
                            "        completion) _firn_words bash ;;\n"
                            "        backup) _firn_words \"$sources\"; compopt -o nospace ;;\n"
                            "        show|diff|restore|export|copy|forget|cat)\n"
                            "            _firn_words latest; compopt -o nospace ;;\n"
                            "        esac\n"
                            "    fi\n"
                            "}\n"
                            "complete -F _firn firn\n";

/* The plugins that are found now, each followed by `end`. */
static void put_plugins(struct buf *out, struct plugins *plugins, const char *end)
{
    char **names;
    size_t count;
    plugins_names(plugins, &names, &count);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s%s", i > 0 ? " " : "", names[i], end);
    plugins_names_free(names, count);
}

static void put_script(struct buf *out, struct plugins *plugins)
{
    buf_puts(out, head);
    buf_puts(out, "        -");
    put_options_with_value(out, options_global);
    buf_puts(
        out,
        ") ((i++)) ;;\n        -*) ;;\n        *) verb=$word; break ;;\n        esac\n    done\n"
        "    local verbs=\"");
    for (size_t i = 0; verbs[i] != NULL; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", verbs[i]->name);
    buf_puts(out, "\"\n    local plugins=\"");
    put_plugins(out, plugins, "");
    buf_puts(out, "\" sources=\"");
    put_plugins(out, plugins, ":");
    buf_puts(out, "\"\n    local global=\"");
    put_names(out, options_global);
    buf_puts(out, "\"\n    case $previous in\n");
    for (const struct option *option = options_global; option->name != NULL; option++)
        put_value_case(out, "        ", option);
    buf_puts(out, "    esac\n    case $verb in\n");
    put_verb_cases(out);
    buf_puts(out, "    esac\n");
    buf_puts(out, words);
}

static int run(struct cli *cli, struct firn_error **err)
{
    auto_buf struct buf out = buf_new(SCRIPT_LONGEST);
    if (strcmp(arguments_operand(cli->arguments, 0), "bash") != 0)
        return usage(cli, err, "completion: there is one for bash only");
    put_script(&out, cli->plugins);
    return output_text(buf_text(&out), out.length, err);
}

static const struct example examples[] = {
    {"in this shell", "source <(firn completion bash)"},
    {0},
};

const struct verb verb_completion = {
    .name = "completion",
    .operands = "bash",
    .summary = "print a completion script for bash",
    .description = "Prints a script that makes bash complete verbs, options and their values.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
