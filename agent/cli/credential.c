/* SPDX-License-Identifier: Apache-2.0 */
#include "credential.h"

#include "cli.h"
#include "core/file.h"
#include "core/mem.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_LONGEST     (64u * 1024u)
#define PASSPHRASE_LONGEST 4096u

void credential_wipe(struct credential *credential)
{
    if (credential->secret.data != NULL)
        OPENSSL_cleanse(credential->secret.data, credential->secret.capacity);
    buf_free(&credential->secret);
    credential->key = (struct key_credential){0};
}

/* The room is taken at once: a buffer that grows would leave copies of the secret behind. */
static void begin(struct credential *out, size_t limit)
{
    out->secret = buf_new(limit);
    for (size_t i = 0; i < limit; i++)
        buf_putc(&out->secret, '\0');
    buf_reset(&out->secret);
}

static void finish(struct credential *out, enum key_kind kind)
{
    out->key = (struct key_credential){kind, buf_text(&out->secret), out->secret.length};
}

int credential_read(enum key_kind kind, const char *path, struct credential *out,
                    struct firn_error **err)
{
    const char *what = kind == KEY_FILE         ? "key file"
                       : kind == KEY_PASSPHRASE ? "password file"
                                                : "PEM file";
    begin(out, SECRET_LONGEST);
    if (file_read(path, SECRET_LONGEST, &out->secret, err) < 0)
        return wrap(err, "%s", what);
    struct buf *secret = &out->secret;
    if (kind == KEY_PASSPHRASE) {
        if (secret->length > 0 && secret->data[secret->length - 1] == '\n')
            secret->data[--secret->length] = '\0';
        if (secret->length > 0 && secret->data[secret->length - 1] == '\r')
            secret->data[--secret->length] = '\0';
    }
    if (secret->length == 0)
        return fail(err, FIRN_INVALID, "%s %s: it is empty", what, path);
    finish(out, kind);
    return 0;
}

static void from_text(const char *passphrase, struct credential *out)
{
    begin(out, SECRET_LONGEST);
    buf_puts(&out->secret, passphrase);
    finish(out, KEY_PASSPHRASE);
}

static int from_terminal(struct cli *cli, const struct place *place, struct credential *out,
                         struct firn_error **err)
{
    auto_free char *prompt = mem_printf("passphrase of the %s", place->what);
    begin(out, PASSPHRASE_LONGEST);
    if (terminal_ask(prompt, &out->secret, err) < 0) {
        if (cli->status == EXIT_DONE && isatty(STDIN_FILENO) == 0)
            cli->status = EXIT_USAGE;
        return wrap(err, "no key of the %s was given: use --%s, --%s, $%s or $%s", place->what,
                    place->key_file, place->password_file, place->key_file_variable,
                    place->passphrase_variable);
    }
    finish(out, KEY_PASSPHRASE);
    return 0;
}

int credential_present(struct cli *cli, const struct place *place, struct credential *out,
                       struct firn_error **err)
{
    const struct {
        const char *option;
        enum key_kind kind;
    } ways[] = {{place->key_file, KEY_FILE},
                {place->private_key, KEY_PUBLIC},
                {place->password_file, KEY_PASSPHRASE}};
    const char *passphrase = getenv(place->passphrase_variable);
    for (int origin = ORIGIN_COMMAND_LINE; origin > ORIGIN_NONE; origin--) {
        for (size_t i = 0; i < array_length(ways); i++)
            if ((int)argument_origin(cli->arguments, ways[i].option) == origin)
                return credential_read(ways[i].kind, argument_text(cli->arguments, ways[i].option),
                                       out, err);
        if (origin == ORIGIN_ENVIRONMENT && passphrase != NULL && *passphrase != '\0') {
            from_text(passphrase, out);
            return 0;
        }
    }
    return from_terminal(cli, place, out, err);
}

int credential_new_passphrase(struct credential *out, struct firn_error **err)
{
    auto_credential struct credential again = {0};
    const char *told = getenv("FIRN_NEW_PASSWORD");
    if (told != NULL && *told != '\0') {
        from_text(told, out);
        return 0;
    }
    begin(out, PASSPHRASE_LONGEST);
    begin(&again, PASSPHRASE_LONGEST);
    if (terminal_ask("new passphrase", &out->secret, err) < 0 ||
        terminal_ask("the same again", &again.secret, err) < 0)
        return wrap(err, "no new passphrase was given ($FIRN_NEW_PASSWORD, or the terminal)");
    if (strcmp(buf_text(&out->secret), buf_text(&again.secret)) != 0)
        return fail(err, FIRN_INVALID, "the two passphrases differ");
    finish(out, KEY_PASSPHRASE);
    return 0;
}

static int write_new(const char *path, const struct buf *text, struct firn_error **err)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST)
        return fail(err, FIRN_INVALID, "key file %s: it exists; a key is never overwritten", path);
    if (file < 0)
        return fail_errno(err, "key file %s", path);
    int result = file_pwrite(file, text->data, text->length, 0, path, err);
    if (result == 0 && fsync(file) < 0)
        result = fail_errno(err, "key file %s", path);
    if (close(file) < 0 && result == 0)
        result = fail_errno(err, "key file %s", path);
    if (result == 0)
        result = file_sync_parent(path, err);
    if (result < 0)
        unlink(path);
    return result;
}

int credential_new_key_file(const char *path, struct credential *out, struct firn_error **err)
{
    begin(out, SECRET_LONGEST);
    key_file_generate(&out->secret);
    if (write_new(path, &out->secret, err) < 0)
        return -1;
    finish(out, KEY_FILE);
    return 0;
}
