/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: YAML, every option of all verbs by its long name, and `plugins: {NAME: {PARAM: value}}`.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

struct arguments;
struct firn_error;
struct settings;

/* Reads the file that --config or $FIRN_CONFIG names (then it must be there), else $XDG_CONFIG_HOME/firn/config.yaml or
 * /etc/firn/config.yaml, the first that is there, into arguments and settings. */
int config_load(struct arguments *arguments, struct settings *settings, struct firn_error **err);

#endif
