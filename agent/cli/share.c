/* SPDX-License-Identifier: Apache-2.0 */
#include "share.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

int share_read(struct cli *cli, const char *option, unsigned *percent, struct firn_error **err)
{
    const char *text = argument_text(cli->arguments, option);
    *percent = 0;
    if (text == NULL)
        return 0;
    size_t digits = strspn(text, "0123456789");
    *percent = *text == '\0'               ? 100
               : digits > 0 && digits <= 3 ? (unsigned)strtoul(text, NULL, 10)
                                           : 0;
    bool ends = text[digits] == '\0' || strcmp(text + digits, "%") == 0;
    if (!ends || *percent == 0 || *percent > 100)
        return usage(cli, err, "--%s=%s: expected a share from 1%% to 100%%", option, text);
    return 0;
}
