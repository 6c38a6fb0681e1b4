/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     Bearer realm="https://h/token",service="reg",scope="a:b:pull,push", Basic realm=x
 *     ^scheme ^parameters                                                 ^ no '=': a scheme
 */
#include "challenge.h"

#include <core/buf.h>
#include <core/mem.h>

#include <stdbool.h>
#include <string.h>

#define VALUE_LIMIT 8192

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t,");
}

static size_t word_length(const char *text)
{
    return strcspn(text, " \t,=\"");
}

/* Reads a token or a quoted string; *value is the caller's. Returns what follows. */
static const char *read_value(const char *text, char **value)
{
    auto_buf struct buf out = buf_new(VALUE_LIMIT);
    if (*text != '"') {
        size_t length = strcspn(text, " \t,");
        buf_append(&out, text, length);
        text += length;
    } else {
        for (text++; *text != '\0' && *text != '"'; text++) {
            if (*text == '\\' && text[1] != '\0')
                text++;
            buf_putc(&out, *text);
        }
        if (*text == '"')
            text++;
    }
    *value = buf_take(&out);
    return text;
}

static void set_parameter(struct challenge *challenge, const char *name, size_t length, char *value)
{
    static const struct {
        const char *name;
        size_t offset;
    } members[] = {
        {"realm", offsetof(struct challenge, realm)},
        {"service", offsetof(struct challenge, service)},
        {"scope", offsetof(struct challenge, scope)},
        {"error", offsetof(struct challenge, error)},
    };
    for (size_t i = 0; i < array_length(members); i++) {
        char **member = (char **)((char *)challenge + members[i].offset);
        if (strlen(members[i].name) == length && strncasecmp(name, members[i].name, length) == 0 &&
            *member == NULL) {
            *member = value;
            return;
        }
    }
    free(value);
}

/* Reads the parameters of one challenge; returns where the next begins. */
static const char *read_parameters(const char *text, struct challenge *challenge)
{
    for (;;) {
        text = skip_blanks(text);
        size_t length = word_length(text);
        const char *equals = text + length + strspn(text + length, " \t");
        if (length == 0 || *equals != '=')
            return text;
        char *value = NULL;
        const char *rest = read_value(equals + 1 + strspn(equals + 1, " \t"), &value);
        set_parameter(challenge, text, length, value);
        text = rest;
    }
}

static enum challenge_scheme scheme_of(const char *text, size_t length)
{
    if (length == 6 && strncasecmp(text, "Bearer", 6) == 0)
        return CHALLENGE_BEARER;
    if (length == 5 && strncasecmp(text, "Basic", 5) == 0)
        return CHALLENGE_BASIC;
    return CHALLENGE_NONE;
}

void challenge_read(const char *value, struct challenge *out)
{
    for (const char *text = skip_blanks(value); *text != '\0'; text = skip_blanks(text)) {
        size_t length = word_length(text);
        auto_challenge struct challenge next = {.scheme = scheme_of(text, length)};
        const char *rest = read_parameters(text + length, &next);
        bool usable = next.scheme != CHALLENGE_BEARER || next.realm != NULL;
        if (usable && next.scheme > out->scheme) {
            challenge_free(out);
            *out = next;
            next = (struct challenge){0};
        }
        text = rest > text ? rest : text + 1;
    }
}

void challenge_free(struct challenge *challenge)
{
    free(challenge->realm);
    free(challenge->service);
    free(challenge->scope);
    free(challenge->error);
    *challenge = (struct challenge){0};
}
