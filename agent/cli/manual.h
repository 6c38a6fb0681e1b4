/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manual pages in man(7) macros, from the tables of options.h: firn(1) and firn-VERB(1).
 */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

struct buf;
struct verb;

void manual_program(struct buf *out);
void manual_verb(struct buf *out, const struct verb *verb);

#endif
