/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Until when objects are locked, and what servers say of versions and of Object Lock, well-meant and hostile.
 */
#include "store/lock.h"
#include "store/s3_xml.h"

#include "core/buf.h"
#include "unit/unit.h"

#define DAY INT64_C(86400000)

/* ------------------------------------------------------------------------------------------------ locks */

static void grid(void)
{
    const struct lock_rule rule = {
        .mode = STORE_COMPLIANCE, .period = 30 * DAY, .generation = 10 * DAY};
    const int64_t begin = INT64_C(1800000000123);
    unsigned due[10] = {0};
    for (unsigned i = 0; i < 10000; i++) {
        auto_free char *name = mem_printf("packs/%02x/%032x", i % 256, i * 2654435761u);
        int64_t until = lock_until(&rule, name, begin);
        CU_ASSERT_FATAL(until >= begin + rule.period);
        CU_ASSERT_FATAL(until < begin + rule.period + rule.generation);
        CU_ASSERT_FATAL(until % 1000 == 0);
        due[(until - begin - rule.period) / DAY]++;
        /* It stays until the protection that is wanted goes past it, and then moves by one generation. */
        int64_t last = (until - rule.period) / 1000 * 1000;
        CU_ASSERT_EQUAL_FATAL(lock_until(&rule, name, last), until);
        CU_ASSERT_EQUAL_FATAL(lock_until(&rule, name, last + 1), until + rule.generation);
    }
    int64_t point = lock_until(&rule, "config", begin);
    CU_ASSERT_EQUAL(lock_floor(&rule, "config", point), point);
    CU_ASSERT_EQUAL(lock_floor(&rule, "config", point - 1), point - rule.generation);
    CU_ASSERT(lock_floor(&rule, "config", 0) <= 0);
    for (unsigned day = 0; day < 10; day++) /* no day has twice what another has */
        CU_ASSERT(due[day] > 850 && due[day] < 1150);
}

static void short_generations(void)
{
    const struct lock_rule rule = {.mode = STORE_GOVERNANCE, .period = 1000, .generation = 1000};
    CU_ASSERT_EQUAL(lock_until(&rule, "config", 5000), 6000);
    CU_ASSERT_EQUAL(lock_until(&rule, "config", 5001), 7000);
}

static void modes(void)
{
    CU_ASSERT_EQUAL(store_lock_mode_parse("COMPLIANCE"), STORE_COMPLIANCE);
    CU_ASSERT_EQUAL(store_lock_mode_parse("governance"), STORE_GOVERNANCE);
    CU_ASSERT_EQUAL(store_lock_mode_parse("none"), STORE_UNLOCKED);
    expect_text(store_lock_mode_name(STORE_COMPLIANCE), "compliance");
}

/* ------------------------------------------------------------------------------------------------ versions */

#define HEAD                                                                                       \
    "<ListVersionsResult "                                                                         \
    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>"
#define LAST "<IsTruncated>false</IsTruncated></ListVersionsResult>"
#define MORE(key, id)                                                                              \
    "<IsTruncated>true</IsTruncated><NextKeyMarker>" key                                           \
    "</NextKeyMarker><NextVersionIdMarker>" id "</NextVersionIdMarker></ListVersionsResult>"
#define ENTRY(kind, key, id, latest, rest)                                                         \
    "<" kind "><Key>" key "</Key><VersionId>" id "</VersionId><IsLatest>" latest                   \
    "</IsLatest><LastModified>1970-01-01T00:00:01Z</LastModified>" rest "</" kind ">"
#define SIZE "<ETag>\"e\"</ETag><Size>7</Size>"

static int join(void *context, const struct s3_version *version, struct firn_error **err)
{
    struct buf *out = context;
    buf_printf(out, "%s %s %s%llu %lld%s;", version->name, version->id,
               version->marker ? "marker " : "", (unsigned long long)version->length,
               (long long)version->modified, version->current ? " current" : "");
    return strcmp(version->name, "stop") == 0 ? fail(err, FIRN_CANCELLED, "enough") : 0;
}

static void version_pages(void)
{
    static const char page[] = HEAD ENTRY("DeleteMarker", "p/a", "3", "true", "")
        ENTRY("Version", "p/a", "null", "false", SIZE) ENTRY("Version", "q/a", "1", "true", SIZE)
            ENTRY("Version", "p/A%2F", "1", "true", SIZE) MORE("p/a%2Bb", "null");
    auto_buf struct buf out = buf_new(10000);
    struct s3_version_place next;
    expect_ok(s3_xml_versions(page, strlen(page), "p/", join, &out, &next, err));
    expect_text(buf_text(&out), "a 3 marker 0 1000 current;a null 7 1000;");
    expect_text(next.key, "p/a+b");
    expect_text(next.id, "null");
    s3_version_place_free(&next);
    expect_ok(s3_xml_versions(HEAD LAST, strlen(HEAD LAST), "p/", join, &out, &next, err));
    CU_ASSERT(next.key == NULL && next.id == NULL);
}

static void damaged_version_pages(void)
{
    static const char *const wrong[] = {
        "",
        "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        "<!DOCTYPE x [<!ENTITY e \"e\">]>" HEAD LAST,
        HEAD "</ListVersionsResult>",
        HEAD "<IsTruncated>true</IsTruncated></ListVersionsResult>",
        HEAD MORE("p/%zz", "1"),
        HEAD MORE("p/%00", "1"),
        HEAD ENTRY("Version", "p/a", "", "true", SIZE) LAST,
        HEAD ENTRY("Version", "p/a", "1\x01", "true", SIZE) LAST,
        HEAD ENTRY("Version", "p/a", "1", "true", "") LAST,
        HEAD ENTRY("Version", "p/a", "1", "true", "<Size>-1</Size>") LAST,
        HEAD "<Version><Key>p/a</Key><VersionId>1</VersionId><Size>1</Size></Version>" LAST,
        HEAD "<Version><VersionId>1</VersionId></Version>" LAST,
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        auto_buf struct buf out = buf_new(10000);
        struct s3_version_place next;
        expect_error(FIRN_CORRUPT,
                     s3_xml_versions(wrong[i], strlen(wrong[i]), "p/", join, &out, &next, err));
        CU_ASSERT(next.key == NULL && next.id == NULL);
    }
    static const char stopped[] = HEAD ENTRY("Version", "p/stop", "1", "true", SIZE)
        ENTRY("Version", "p/z", "1", "true", SIZE) LAST;
    auto_buf struct buf out = buf_new(10000);
    struct s3_version_place next;
    expect_error(FIRN_CANCELLED,
                 s3_xml_versions(stopped, strlen(stopped), "p/", join, &out, &next, err));
    expect_text(buf_text(&out), "stop 1 7 1000 current;");
}

/* ------------------------------------------------------------------------------------------------ Object Lock */

#define LOCK(inside) "<ObjectLockConfiguration>" inside "</ObjectLockConfiguration>"
#define ON           "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
#define RULE(inside) "<Rule><DefaultRetention>" inside "</DefaultRetention></Rule>"

static struct s3_lock_default lock_of(const char *text)
{
    struct s3_lock_default state = {.enabled = false};
    expect_ok(s3_xml_lock(text, strlen(text), &state, err));
    return state;
}

static void lock_configurations(void)
{
    struct s3_lock_default state = lock_of(LOCK(""));
    CU_ASSERT(!state.enabled && state.period == 0);
    state = lock_of(LOCK(ON));
    CU_ASSERT(state.enabled && state.mode == STORE_UNLOCKED && state.period == 0);
    state = lock_of(LOCK(ON RULE("<Mode>GOVERNANCE</Mode><Days>3</Days>")));
    CU_ASSERT(state.enabled && state.mode == STORE_GOVERNANCE && state.period == 3 * DAY);
    state = lock_of(LOCK(ON RULE("<Mode>COMPLIANCE</Mode><Years>2</Years>")));
    CU_ASSERT(state.mode == STORE_COMPLIANCE && state.period == 730 * DAY);
    static const char *const wrong[] = {
        "",
        "<Error/>",
        LOCK(ON RULE("<Mode>GOVERNANCE</Mode>")),
        LOCK(ON RULE("<Days>3</Days>")),
        LOCK(ON RULE("<Mode>SOME</Mode><Days>3</Days>")),
        LOCK(ON RULE("<Mode>GOVERNANCE</Mode><Days>99999999999</Days>")),
    };
    for (size_t i = 0; i < array_length(wrong); i++)
        expect_error(FIRN_CORRUPT, s3_xml_lock(wrong[i], strlen(wrong[i]), &state, err));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"until when objects are locked", grid},
        {"short generations", short_generations},
        {"modes", modes},
        {"pages of versions", version_pages},
        {"damaged pages of versions", damaged_version_pages},
        {"configurations of Object Lock", lock_configurations},
    };
    return unit_run("store/s3 versions", tests, array_length(tests));
}
