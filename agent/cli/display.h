/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The display of progress on standard error: a bar with rate and remaining time on a terminal, a line every ten seconds
 * elsewhere (through the log with --log-format json), nothing with --quiet. One display at a time.
 */
#ifndef CLI_DISPLAY_H
#define CLI_DISPLAY_H

struct cli;
struct display;
struct progress;

/* Shows `progress` until display_stop(), which clears the bar. label is copied. */
struct display *display_start(const struct cli *cli, const char *label, struct progress *progress);
void display_stop(struct display *display); /* NULL is fine */

#endif
