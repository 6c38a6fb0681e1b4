/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "config.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "credential.h"
#include "help.h"
#include "net/limit.h"
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ the repository */

const struct place place_repository = {.what = "repository",
                                       .repository = "repository",
                                       .key_file = "key-file",
                                       .private_key = "private-key",
                                       .password_file = "password-file",
                                       .repository_variable = "FIRN_REPOSITORY",
                                       .key_file_variable = "FIRN_KEY_FILE",
                                       .passphrase_variable = "FIRN_PASSWORD"};

static int location(struct cli *cli, const struct place *place, const char **out,
                    struct firn_error **err)
{
    *out = argument_text(cli->arguments, place->repository);
    if (*out != NULL)
        return 0;
    return usage(cli, err, "no %s was named: use %s REPO or $%s", place->what,
                 place == &place_repository ? "-r" : "--to", place->repository_variable);
}

static int open_store(struct cli *cli, const struct place *place, struct store **out,
                      struct firn_error **err)
{
    const char *where;
    if (location(cli, place, &where, err) < 0)
        return -1;
    if (store_open(where, out, err) == 0)
        return 0;
    if (cli->status == EXIT_DONE && err != NULL && error_code(*err) == FIRN_NOTFOUND)
        cli->status = EXIT_NO_REPOSITORY;
    return -1;
}

int cli_create_store(struct cli *cli, struct firn_error **err)
{
    const char *where;
    if (location(cli, &place_repository, &where, err) < 0)
        return -1;
    return store_create(where, &cli->store, err);
}

static int unlock(struct cli *cli, const struct place *place, struct repo *repo,
                  struct firn_error **err)
{
    auto_credential struct credential credential = {0};
    int result = credential_present(cli, place, &credential, err);
    bool denied = result == 0 && repo_unlock(repo, &credential.key, err) < 0;
    if (result == 0 && !denied)
        return 0;
    /* INVALID: what was given as key is none. A file that may not be read is DENIED, and no wrong key. */
    enum firn_code code = err == NULL ? FIRN_INTERNAL : error_code(*err);
    if (cli->status == EXIT_DONE && (code == FIRN_INVALID || (denied && code == FIRN_DENIED)))
        cli->status = EXIT_WRONG_KEY;
    if (cli->status == EXIT_DONE && denied && code == FIRN_NOTFOUND) /* all key slots are gone */
        cli->status = EXIT_DAMAGED;
    return -1;
}

/* --as-of, of the verbs that have it. */
static int read_as_of(struct cli *cli, struct repo *repo, struct firn_error **err)
{
    const char *text =
        argument_exists(cli->arguments, "as-of") ? argument_text(cli->arguments, "as-of") : NULL;
    if (text != NULL && clock_parse(text, &repo->as_of, NULL) < 0)
        return usage(cli, err, "--as-of %s: expected a time as in 2026-11-22T08:00:00Z", text);
    return 0;
}

static int open_locked(struct cli *cli, const struct place *place, struct store **store,
                       struct repo **repo, struct firn_error **err)
{
    if (open_store(cli, place, store, err) < 0)
        return -1;
    if (repo_open(*store, repo, err) < 0) {
        if (err != NULL && error_code(*err) == FIRN_NOTFOUND)
            cli->status = EXIT_NO_REPOSITORY;
        return -1;
    }
    if (read_as_of(cli, *repo, err) < 0)
        return -1;
    auto_free char *cache = cli_cache_directory(cli);
    repo_set_cache(*repo, cache);
    return 0;
}

int cli_open_place(struct cli *cli, const struct place *place, struct store **store,
                   struct repo **repo, struct firn_error **err)
{
    if (open_locked(cli, place, store, repo, err) < 0)
        return -1;
    return unlock(cli, place, *repo, err);
}

int cli_open_locked(struct cli *cli, struct firn_error **err)
{
    return open_locked(cli, &place_repository, &cli->store, &cli->repo, err);
}

int cli_open(struct cli *cli, struct firn_error **err)
{
    if (cli->repo != NULL)
        return 0;
    return cli_open_place(cli, &place_repository, &cli->store, &cli->repo, err);
}

char *cli_cache_directory(const struct cli *cli)
{
    if (argument_flag(cli->arguments, "no-cache"))
        return NULL;
    const char *told = argument_text(cli->arguments, "cache-dir");
    return told != NULL ? mem_strdup(told) : file_cache_directory();
}

void cli_note(const struct cli *cli, const char *format, ...)
{
    if (cli->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    auto_free char *text = mem_vprintf(format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", text);
}

/* ------------------------------------------------------------------------------------------------ plugin options */

/* Whether some argument names this plugin, as a source or as the item of a snapshot: "image:…", "latest:image:…". */
static bool is_named(int argc, char *const *argv, const char *plugin)
{
    size_t length = strlen(plugin);
    for (int i = 1; i < argc; i++) {
        const char *text = strncmp(argv[i], "latest:", 7) == 0 ? argv[i] + 7 : argv[i];
        if (strncmp(text, plugin, length) == 0 && text[length] == ':')
            return true;
    }
    return false;
}

struct command_line {
    struct cli *cli;
    int argc;
    char *const *argv;
};

static bool set_param(const struct command_line *line, const char *plugin_name, const char *name,
                      const char *value, const char *next, bool *used_next)
{
    const struct plugin *plugin;
    if (plugins_load(line->cli->plugins, plugin_name, &plugin, NULL) < 0)
        return false;
    const struct firn_param *param = plugin_param(plugin, name);
    if (param == NULL)
        return false;
    if (value == NULL && param->type == FIRN_PARAM_BOOLEAN)
        value = "true";
    if (value == NULL && next != NULL) {
        value = next;
        *used_next = true;
    }
    settings_set(line->cli->settings, plugin_name, name, value != NULL ? value : "");
    return true;
}

/* --PARAM for a plugin that the command line names; if it names none, for whichever plugins have the parameter. */
static int plugin_option(void *context, const char *name, const char *value, const char *next,
                         bool *used_next, struct firn_error **err)
{
    const struct command_line *line = context;
    char **names;
    size_t count;
    bool named = false, taken = false;
    (void)err;
    if (!plugin_name_valid(name, strlen(name)))
        return 0;
    plugins_names(line->cli->plugins, &names, &count);
    for (size_t i = 0; i < count; i++)
        named = named || is_named(line->argc, line->argv, names[i]);
    for (size_t i = 0; i < count; i++)
        if (!named || is_named(line->argc, line->argv, names[i]))
            taken = set_param(line, names[i], name, value, next, used_next) || taken;
    plugins_names_free(names, count);
    return taken;
}

/* ------------------------------------------------------------------------------------------------ running a verb */

/* --plugin-path is needed before the command line can be understood: its plugins have options of their own. */
static const char *early_plugin_path(int argc, char *const *argv)
{
    static const char name[] = "--plugin-path";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], name, sizeof(name) - 1) != 0)
            continue;
        if (argv[i][sizeof(name) - 1] == '=')
            return argv[i] + sizeof(name);
        if (argv[i][sizeof(name) - 1] == '\0')
            return argv[i + 1];
    }
    return NULL;
}

static int choose(struct cli *cli, const char *name, const char *const *words, size_t count,
                  size_t *out, struct firn_error **err)
{
    const char *text = argument_text(cli->arguments, name);
    *out = 0;
    for (size_t i = 0; text != NULL && i < count; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
    return text == NULL ? 0 : usage(cli, err, "--%s: \"%s\" is not known", name, text);
}

/* RATE is a size, and may end in "/s". */
static int set_limit(struct cli *cli, const char *option, enum limit_way way,
                     struct firn_error **err)
{
    const char *told = argument_text(cli->arguments, option);
    uint64_t rate = 0;
    if (told == NULL)
        return 0;
    size_t length = strlen(told);
    bool per_second = length > 2 && strcmp(told + length - 2, "/s") == 0;
    auto_free char *size = mem_dup(told, length - (per_second ? 2 : 0));
    if (size_parse(size, &rate, NULL) < 0)
        return usage(cli, err, "--%s: \"%s\" is no rate: bytes a second, as in 500K or 10M", option,
                     told);
    limit_set(way, rate);
    return 0;
}

static int prepare(struct cli *cli, struct firn_error **err)
{
    static const char *const formats[] = {"table", "json", "yaml"};
    static const char *const logs[] = {"text", "json"};
    size_t format, log;
    if (choose(cli, "output", formats, array_length(formats), &format, err) < 0 ||
        choose(cli, "log-format", logs, array_length(logs), &log, err) < 0 ||
        set_limit(cli, "limit-upload", LIMIT_SEND, err) < 0 ||
        set_limit(cli, "limit-download", LIMIT_RECEIVE, err) < 0)
        return -1;
    unsigned verbose = argument_count(cli->arguments, "verbose");
    cli->output = (enum output_format)format;
    cli->quiet = argument_flag(cli->arguments, "quiet");
    log_init((enum log_format)log, cli->quiet        ? FIRN_LOG_ERROR
                                   : verbose > 1     ? FIRN_LOG_DEBUG
                                   : verbose > 0     ? FIRN_LOG_INFO
                                   : log == LOG_JSON ? FIRN_LOG_INFO
                                                     : FIRN_LOG_WARNING);
    return 0;
}

/* --set wins over the configuration file, and --PARAM, which the parser has already stored, over --set. */
static int load_settings(struct cli *cli, struct firn_error **err)
{
    struct settings *options = cli->settings;
    cli->settings = settings_new();
    const char **told;
    size_t count = argument_list(cli->arguments, "set", &told);
    int result = config_load(cli->arguments, cli->settings, err);
    for (size_t i = 0; i < count && result == 0; i++)
        result = settings_parse(cli->settings, told[i], err);
    settings_merge(cli->settings, options);
    free(told);
    settings_free(options);
    return result < 0 ? (cli->status = EXIT_USAGE, -1) : 0;
}

static int run(struct cli *cli, int argc, char *const *argv, struct firn_error **err)
{
    struct command_line line = {cli, argc, argv};
    cli->plugins = plugins_new(early_plugin_path(argc, argv));
    cli->settings = settings_new();
    if (arguments_parse(argc, argv, plugin_option, &line, &cli->arguments, err) < 0) {
        cli->status = EXIT_USAGE;
        return -1;
    }
    const struct verb *verb = arguments_verb(cli->arguments);
    if (verb == NULL && argument_flag(cli->arguments, "version"))
        verb = &verb_version;
    if (verb == NULL && !argument_flag(cli->arguments, "help") && argc > 1)
        return usage(cli, err, "a verb is missing: `firn help` lists the verbs");
    if (verb == NULL)
        return help_program(err);
    if (argument_flag(cli->arguments, "help"))
        return help_verb(verb, err);
    if (load_settings(cli, err) < 0 || prepare(cli, err) < 0)
        return -1;
    return verb->run(cli, err);
}

static enum exit_code code_of(const struct firn_error *err)
{
    if (cancel_requested())
        return EXIT_INTERRUPTED;
    switch (error_code(err)) {
    case FIRN_CONFLICT:
        return EXIT_HELD;
    case FIRN_CORRUPT:
        return EXIT_DAMAGED;
    case FIRN_CANCELLED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

int cli_main(int argc, char *const *argv)
{
    struct cli cli = {0};
    auto_error struct firn_error *err = NULL;
    int result = run(&cli, argc, argv, &err);
    if (result < 0) {
        fprintf(stderr, "firn: %s\n", error_message(err));
        if (cli.status == EXIT_DONE || cancel_requested())
            cli.status = code_of(err);
    }
    repo_close(cli.repo);
    store_close(cli.store);
    arguments_free(cli.arguments);
    settings_free(cli.settings);
    plugins_free(cli.plugins);
    return cli.status;
}
