/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the S3 store takes apart without a server: locations, credentials, and the XML of answers, well-meant and hostile.
 */
#include "store/credential_endpoint.h"
#include "store/credentials.h"
#include "store/s3_location.h"
#include "store/s3_xml.h"

#include "core/buf.h"
#include "core/file.h"
#include "unit/unit.h"

#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ locations */

static void forget_environment(void)
{
    static const char *const names[] = {
        "AWS_REGION",        "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE",
        "AWS_PROFILE",       "AWS_ACCESS_KEY_ID",  "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE",    "AWS_SHARED_CREDENTIALS_FILE"};
    for (size_t i = 0; i < array_length(names); i++)
        unsetenv(names[i]);
}

static void locations(void)
{
    static const struct {
        const char *text, *host, *path, *region;
    } good[] = {
        {"s3://s3.eu-west-1.amazonaws.com/bucket/a/b", "bucket.s3.eu-west-1.amazonaws.com",
         "/a/b/config", "eu-west-1"},
        {"s3://s3.amazonaws.com/bucket", "bucket.s3.amazonaws.com", "/config", "us-east-1"},
        {"s3://s3.dualstack.eu-west-1.amazonaws.com/bucket",
         "bucket.s3.dualstack.eu-west-1.amazonaws.com", "/config", "eu-west-1"},
        {"s3://s3.cn-north-1.amazonaws.com.cn/bucket", "bucket.s3.cn-north-1.amazonaws.com.cn",
         "/config", "cn-north-1"},
        {"s3://s3.eu-west-1.amazonaws.com/with.dots/a", "s3.eu-west-1.amazonaws.com",
         "/with.dots/a/config", "eu-west-1"},
        {"s3://amazonaws.com.example.org/bucket", "amazonaws.com.example.org", "/bucket/config",
         NULL},
        {"s3://ceph.example.org:443/bucket/", "ceph.example.org", "/bucket/config", NULL},
        {"s3://ceph:8443/bucket/ä b+c", "ceph:8443", "/bucket/%C3%A4%20b%2Bc/config", NULL},
        {"s3://Ceph.Example.ORG/Bucket", "ceph.example.org", "/Bucket/config", NULL},
        {"s3://localhost/bucket?region=here&style=virtual", "bucket.localhost", "/config", "here"},
        {"s3://[::1]:9000/bucket", "[::1]:9000", "/bucket/config", NULL},
        {"s3://s3.eu-west-1.amazonaws.com/bucket?style=path&region=eu-west-2",
         "s3.eu-west-1.amazonaws.com", "/bucket/config", "eu-west-2"},
    };
    forget_environment();
    for (size_t i = 0; i < array_length(good); i++) {
        struct s3_location location;
        auto_buf struct buf path = buf_new(1000);
        expect_ok(s3_location_parse(good[i].text, &location, err));
        s3_location_path(&location, "config", &path);
        expect_text(location.host, good[i].host);
        expect_text(buf_text(&path), good[i].path);
        expect_text(location.region == NULL ? "" : location.region,
                    good[i].region == NULL ? "" : good[i].region);
        s3_location_free(&location);
    }
}

static void wrong_locations(void)
{
    static const char *const wrong[] = {
        "s3://",
        "s3://bucket",
        "s3://bucket/prefix",
        "s3://h.org",
        "s3://h.org/",
        "s3://h.org/ab",
        "s3://h.org/a b c",
        "s3://h.org/../x",
        "s3://h.org/bucket/a//b",
        "s3://h.org/bucket/../b",
        "s3://h.org/bucket/.",
        "s3://h.org/bucket/a\nb",
        "s3://h.org/bucket/\xff",
        "s3://h.org:/bucket",
        "s3://h.org:123456/bucket",
        "s3://h.org:1x/bucket",
        "s3://h.org:0443/bucket",
        "s3://h.org\\evil/bucket",
        "s3://[::1/bucket",
        "s3://key:secret@h.org/bucket",
        "s3://h.org/bucket?",
        "s3://h.org/bucket?verify=no",
        "s3://h.org/bucket?region=a/b",
        "s3://h.org/bucket?region=",
        "s3://h.org/bucket?style=other",
        "s3://h.org/bucket?ca=",
        "s3://h.org/bucket?retry=soon",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct s3_location location;
        struct firn_error *why = NULL;
        int result = s3_location_parse(wrong[i], &location, &why);
        if (result == 0 || error_code(why) != FIRN_INVALID)
            printf("\n    %s: %d %s", wrong[i], result, error_message(why));
        CU_ASSERT(result == -1 && error_code(why) == FIRN_INVALID);
        CU_ASSERT_PTR_NULL(strstr(error_message(why), "secret"));
        CU_ASSERT_PTR_NULL(location.host);
        error_clear(&why);
    }
    auto_free char *longest = mem_alloc(600);
    memset(longest, 'a', 599);
    longest[599] = '\0';
    auto_free char *text = mem_printf("s3://h.org/bucket/%s", longest);
    struct s3_location location;
    expect_error(FIRN_INVALID, s3_location_parse(text, &location, err));
}

static void environment_of_locations(void)
{
    struct s3_location location;
    forget_environment();
    setenv("AWS_DEFAULT_REGION", "second", 1);
    setenv("AWS_CA_BUNDLE", "/bundle", 1);
    expect_ok(s3_location_parse("s3://h.org/bucket?retry=5s", &location, err));
    expect_text(location.region, "second");
    expect_text(location.ca_file, "/bundle");
    CU_ASSERT_EQUAL(location.retry, 5000);
    s3_location_free(&location);
    setenv("AWS_REGION", "first", 1);
    expect_ok(s3_location_parse("s3://h.org/bucket?ca=/own&profile=p", &location, err));
    expect_text(location.region, "first");
    expect_text(location.ca_file, "/own");
    expect_text(location.profile, "p");
    s3_location_free(&location);
    forget_environment();
}

/* ------------------------------------------------------------------------------------------------ credentials */

static const char own_file[] = "# comment\n[default]\naws_access_key_id = DEFAULT\n"
                               "aws_secret_access_key=default/secret+==\r\n\n"
                               "[half]\naws_access_key_id=HALF\n[secret]\naws_secret_access_key=s\n"
                               "[other]\naws_access_key_id=OTHER\naws_secret_access_key=s\n"
                               "aws_session_token=t\nregion=from-own\n";
static const char config_file[] =
    "[default]\nregion = from-config\n[profile third]\nregion=r3\ns3 =\n  aws_access_key_id=no\n"
    "aws_access_key_id=THIRD\naws_secret_access_key=s3\n[profile other]\nregion=not-this\n";

static int load(const char *profile, struct credentials *out, struct firn_error **err)
{
    struct credential_search search = {.profile = profile};
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    return credentials_load(&search, out, err);
}

static void profiles(void)
{
    static const struct {
        const char *profile, *key, *secret, *token, *region;
    } good[] = {
        {NULL, "DEFAULT", "default/secret+==", "", "from-config"},
        {"default", "DEFAULT", "default/secret+==", "", "from-config"},
        {"other", "OTHER", "s", "t", "from-own"},
        {"third", "THIRD", "s3", "", "r3"},
    };
    forget_environment();
    expect_ok(file_write("own", own_file, strlen(own_file), 0600, err));
    expect_ok(file_write("config", config_file, strlen(config_file), 0600, err));
    setenv("AWS_SHARED_CREDENTIALS_FILE", "own", 1);
    setenv("AWS_CONFIG_FILE", "config", 1);
    struct credentials found;
    for (size_t i = 0; i < array_length(good); i++) {
        expect_ok(load(good[i].profile, &found, err));
        expect_text(found.access_key, good[i].key);
        expect_text(found.secret_key, good[i].secret);
        expect_text(found.session_token == NULL ? "" : found.session_token, good[i].token);
        expect_text(found.region == NULL ? "" : found.region, good[i].region);
        credentials_wipe(&found);
    }
    setenv("AWS_PROFILE", "other", 1);
    expect_ok(load(NULL, &found, err));
    expect_text(found.access_key, "OTHER");
    credentials_wipe(&found);
    expect_error(FIRN_INVALID, load("half", &found, err));
    expect_error(FIRN_INVALID, load("secret", &found, err));
    expect_error(FIRN_DENIED, load("missing", &found, err));
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/", 1);
    CU_ASSERT(load(NULL, &found, NULL) < 0);
    forget_environment();
}

/* What a profile may say of a role or a program, as far as it needs no server. */
static void profiles_of_roles(void)
{
    static const char text[] =
        "[profile none]\nrole_arn=arn:r\n[profile "
        "mfa]\nrole_arn=arn:r\nmfa_serial=m\nsource_profile=keys\n"
        "[profile a]\nrole_arn=arn:r\nsource_profile=b\n[profile "
        "b]\nrole_arn=arn:r\nsource_profile=a\n"
        "[profile empty]\nrole_arn=arn:r\nsource_profile=nobody\n"
        "[profile odd]\nrole_arn=arn:r\ncredential_source=Mars\n"
        "[profile token]\nrole_arn=arn:r\nweb_identity_token_file=no-such-file\n"
        "[profile sso]\nsso_session=x\n"
        "[profile run]\nregion=r\ncredential_process=cat document\n"
        "[profile fails]\ncredential_process=exit 3\n[profile chatty]\ncredential_process=head -c "
        "99999 /dev/zero\n"
        "[profile silent]\ncredential_process=true\n";
    static const char document[] =
        "{\"Version\": 1, \"AccessKeyId\": \"K\", \"SecretAccessKey\": \"S\", "
        "\"SessionToken\": \"T\", \"Expiration\": \"2030-01-02T03:04:05Z\"}";
    static const char *const bad[] = {"none", "mfa",   "a",      "odd",
                                      "sso",  "token", "chatty", "silent"};
    struct credentials found;
    forget_environment();
    expect_ok(file_write("roles", text, strlen(text), 0600, err));
    expect_ok(file_write("document", document, strlen(document), 0600, err));
    setenv("AWS_SHARED_CREDENTIALS_FILE", "none", 1);
    setenv("AWS_CONFIG_FILE", "roles", 1);
    for (size_t i = 0; i < array_length(bad); i++)
        expect_error(FIRN_INVALID, load(bad[i], &found, err));
    expect_error(FIRN_DENIED, load("empty", &found, err));
    expect_error(FIRN_DENIED, load("fails", &found, err));
    expect_ok(load("run", &found, err));
    expect_text(found.access_key, "K");
    expect_text(found.session_token, "T");
    expect_text(found.region, "r");
    CU_ASSERT(found.expires == INT64_C(1893553445000));
    credentials_wipe(&found);
    forget_environment();
}

/* Documents of containers, instances and programs. */
static void documents_of_credentials(void)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"AccessKeyId\": \"K\"}",
        "{\"AccessKeyId\": \"K\", \"SecretAccessKey\": 1}",
        "{\"AccessKeyId\": \"K\", \"SecretAccessKey\": \"S\", \"Expiration\": \"soon\"}",
    };
    struct credentials found;
    for (size_t i = 0; i < array_length(bad); i++)
        expect_error(FIRN_INVALID, credentials_parse(bad[i], strlen(bad[i]), &found, err));
    static const char plain[] =
        "{\"AccessKeyId\": \"K\", \"SecretAccessKey\": \"S\", \"Token\": \"T\"}";
    expect_ok(credentials_parse(plain, strlen(plain), &found, err));
    expect_text(found.session_token, "T");
    CU_ASSERT(found.expires == 0);
    credentials_wipe(&found);
}

/* Over which addresses credentials may travel. */
static void addresses_of_credentials(void)
{
    static const char *const good[] = {
        "https://sts.example.org/", "http://127.0.0.1:8080/", "http://localhost/x",
        "http://169.254.170.2/v2",  "http://[::1]:1/",        "http://169.254.170.23/v1",
    };
    static const char *const bad[] = {
        "http://example.org/", "http://127.0.0.1.example.org/", "http://127.0.0.1@example.org/",
        "ftp://localhost/",    "http://169.254.170.3/",         "nonsense",
    };
    for (size_t i = 0; i < array_length(good); i++)
        expect_ok(credential_url_check(good[i], "test", err));
    for (size_t i = 0; i < array_length(bad); i++)
        expect_error(FIRN_INVALID, credential_url_check(bad[i], "test", err));
}

static void anywhere_in_xml(void)
{
    static const char text[] = "<a><b><c>1</c></b><!-- c --><d><c>2</c></d><e/></a>";
    auto_free char *c = s3_xml_find(text, strlen(text), "c");
    expect_text(c, "1");
    auto_free char *e = s3_xml_find(text, strlen(text), "e");
    expect_text(e, "");
    CU_ASSERT_PTR_NULL(s3_xml_find(text, strlen(text), "a"));
    CU_ASSERT_PTR_NULL(s3_xml_find(text, strlen(text), "f"));
    CU_ASSERT_PTR_NULL(s3_xml_find("<a><c>", 6, "c"));
    CU_ASSERT_PTR_NULL(s3_xml_find(NULL, 0, "c"));
}

static void environment_of_credentials(void)
{
    struct credentials found, again;
    forget_environment();
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "own", 1);
    setenv("AWS_CONFIG_FILE", "none", 1);
    expect_error(FIRN_INVALID, load(NULL, &found, err));
    setenv("AWS_SECRET_ACCESS_KEY", "env secret", 1);
    setenv("AWS_SESSION_TOKEN", "", 1);
    expect_ok(load(NULL, &found, err));
    expect_text(found.access_key, "ENV");
    CU_ASSERT_PTR_NULL(found.session_token);
    credentials_copy(&again, &found);
    CU_ASSERT(credentials_equal(&found, &again));
    credentials_wipe(&again);
    expect_ok(credentials_load(&(struct credential_search){.profile = "other"}, &again,
                               err)); /* asked for: before the environment */
    expect_text(again.access_key, "OTHER");
    CU_ASSERT(!credentials_equal(&found, &again));
    credentials_wipe(&again);
    credentials_wipe(&found);
    forget_environment();
}

/* ------------------------------------------------------------------------------------------------ errors */

static void faults(void)
{
    struct s3_fault fault;
    static const char plain[] =
        "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>none &amp; "
        "nothing</Message><Region>r</Region></Error>";
    s3_xml_fault(plain, strlen(plain), &fault);
    expect_text(fault.code, "NoSuchKey");
    expect_text(fault.message, "none & nothing");
    expect_text(fault.region, "r");
    static const char *const none[] = {
        "",
        "rubbish",
        "<html><Code>x</Code></html>",
        "<Error><Code>x</Code>",
        "<Error><Code>a\nb</Code></Error>",
        "<!DOCTYPE Error [<!ENTITY e \"x\">]><Error><Code>&e;</Code></Error>"};
    for (size_t i = 0; i < array_length(none); i++) {
        s3_xml_fault(none[i], strlen(none[i]), &fault);
        expect_text(fault.code, "");
    }
    s3_xml_fault(NULL, 0, &fault);
    expect_text(fault.code, "");
}

/* Long texts are cut between characters. */
static void long_fault(void)
{
    auto_buf struct buf body = buf_new(10000);
    struct s3_fault fault;
    buf_puts(&body, "<Error><Code>C</Code><Message>x");
    for (int i = 0; i < 1000; i++)
        buf_puts(&body, "\xc3\xa4");
    buf_puts(&body, "</Message></Error>");
    s3_xml_fault(body.data, body.length, &fault);
    CU_ASSERT_EQUAL(strlen(fault.message), S3_MESSAGE_LENGTH - 1);
    expect_text(fault.message + S3_MESSAGE_LENGTH - 3, "\xc3\xa4");
}

/* ------------------------------------------------------------------------------------------------ listings */

static int join(void *context, const struct store_entry *entry, struct firn_error **err)
{
    buf_printf(context, "%s %llu %lld;", entry->name, (unsigned long long)entry->length,
               (long long)entry->modified);
    return strcmp(entry->name, "stop") == 0 ? fail(err, FIRN_CANCELLED, "stopped") : 0;
}

#define HEAD                                                                                       \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"           \
    "<EncodingType>url</EncodingType>"
#define ENTRY(key)                                                                                 \
    "<Contents><Key>" key "</Key><LastModified>1970-01-01T00:00:01.000Z</LastModified>"            \
    "<Size>7</Size></Contents>"
#define LAST "<IsTruncated>false</IsTruncated></ListBucketResult>"

static void expect_page(const char *body, const char *wanted, const char *wanted_next)
{
    auto_buf struct buf out = buf_new(10000);
    auto_free char *next = NULL;
    expect_ok(s3_xml_page(body, strlen(body), "p/ä/", join, &out, &next, err));
    expect_text(buf_text(&out), wanted);
    expect_text(next == NULL ? "" : next, wanted_next);
}

static void pages(void)
{
    expect_page(HEAD LAST, "", "");
    expect_page(HEAD ENTRY("p/%C3%A4/packs%2Fone") ENTRY("p/%c3%a4/config") LAST,
                "packs/one 7 1000;config 7 1000;", "");
    expect_page(
        HEAD ENTRY("p/%C3%A4/a") "<IsTruncated>true</IsTruncated><NextContinuationToken>t&lt;"
                                 "</NextContinuationToken></ListBucketResult>",
        "a 7 1000;", "t<");
    /* what is none of ours: other prefixes, odd names, ways out */
    expect_page(HEAD ENTRY("config") ENTRY("p/%C3%A4/") ENTRY("p/%C3%A4/../x") ENTRY("p/%C3%A4/A")
                    ENTRY("p/%C3%A4/a+b") ENTRY("p/%C3%A4/a%00b") ENTRY("p/%C3%A4/a%")
                        ENTRY("p/%C3%A4/a%4") ENTRY("p/%C3%A4/a%zz") ENTRY("p/%C3%A4/a%0Ab") LAST,
                "", "");
    expect_page("<ListBucketResult>" ENTRY("p/ä/plain") ENTRY("p/ä/a%62") LAST, "plain 7 1000;",
                "");
}

static void damaged_pages(void)
{
    static const char *const wrong[] = {
        "",
        "rubbish",
        "<Error/>",
        HEAD,
        HEAD "</ListBucketResult>",
        HEAD "<IsTruncated>true</IsTruncated></ListBucketResult>",
        HEAD "<IsTruncated>true</IsTruncated><NextContinuationToken/></ListBucketResult>",
        HEAD "<Contents><Size>1</Size></Contents>" LAST,
        HEAD "<Contents><Key>p/%C3%A4/a</Key></Contents>" LAST,
        HEAD "<Contents><Key>p/%C3%A4/a</Key><Size>-1</Size></Contents>" LAST,
        HEAD "<Contents><Key>p/%C3%A4/a</Key><Size>99999999999999999999</Size></Contents>" LAST,
        HEAD "<Contents><Key>p/%C3%A4/a</Key><Size>1</Size><LastModified>now</LastModified></"
             "Contents>" LAST,
        "<!DOCTYPE a [<!ENTITY x \"y\">]>" HEAD LAST,
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        auto_buf struct buf out = buf_new(10000);
        char *next = NULL;
        expect_error(FIRN_CORRUPT,
                     s3_xml_page(wrong[i], strlen(wrong[i]), "p/ä/", join, &out, &next, err));
        CU_ASSERT_PTR_NULL(next);
    }
}

static void stopped_page(void)
{
    static const char body[] = HEAD ENTRY("p/%C3%A4/stop") ENTRY("p/%C3%A4/more") LAST;
    auto_buf struct buf out = buf_new(10000);
    char *next = NULL;
    expect_error(FIRN_CANCELLED, s3_xml_page(body, strlen(body), "p/ä/", join, &out, &next, err));
    expect_text(buf_text(&out), "stop 7 1000;");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"locations", locations},
        {"wrong locations", wrong_locations},
        {"locations and the environment", environment_of_locations},
        {"profiles", profiles},
        {"credentials of the environment", environment_of_credentials},
        {"roles and programs of profiles", profiles_of_roles},
        {"documents of credentials", documents_of_credentials},
        {"addresses of credentials", addresses_of_credentials},
        {"an element anywhere in XML", anywhere_in_xml},
        {"errors", faults},
        {"long errors", long_fault},
        {"pages of a listing", pages},
        {"damaged pages", damaged_pages},
        {"a page that is stopped", stopped_page},
    };
    if (getenv("TEST_TMP") == NULL || chdir(getenv("TEST_TMP")) < 0)
        return 2;
    return unit_run("store/s3", tests, array_length(tests));
}
