/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: asking for a passphrase.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

struct buf;
struct firn_error;

/* Asks on the controlling terminal, without echo. INVALID: there is no terminal, or nothing was entered; CANCELLED: the user
 * interrupted. The passphrase is appended, without the newline. */
int terminal_ask(const char *prompt, struct buf *passphrase, struct firn_error **err);

#endif
