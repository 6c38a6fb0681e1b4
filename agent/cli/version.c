/* SPDX-License-Identifier: Apache-2.0 */
/* firn version */
#include "cli.h"
#include "core/json.h"
#include "core/mem.h"
#include "output.h"
#include "repo/format.h"

#include <string.h>

static int run(struct cli *cli, struct firn_error **err)
{
    auto_json struct json_object *record = json_object_new_object();
    json_set_string(record, "version", FIRN_VERSION);
    json_set_uint(record, "repository_format", FORMAT_VERSION);
    json_set_uint(record, "plugin_abi", FIRN_PLUGIN_ABI);
    if (cli->output != OUTPUT_TABLE)
        return output_value(cli, record, err);
    auto_free char *line = mem_printf("firn %s (repository format %u, plugin ABI %u)\n",
                                      FIRN_VERSION, FORMAT_VERSION, FIRN_PLUGIN_ABI);
    return output_text(line, strlen(line), err);
}

const struct verb verb_version = {
    .name = "version",
    .operands = "",
    .summary = "show the version of the program, the repository format and the plugin ABI",
    .description = "The repository format and the plugin ABI have versions of their own.",
    .run = run,
};
