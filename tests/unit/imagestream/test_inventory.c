/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "imagestream/inventory.h"
#include "unit/unit.h"

#define A     "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C     "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D     "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define IMAGE "application/vnd.oci.image.manifest.v1+json"

static struct image *add_image(struct inventory *inventory, const char *digest)
{
    bool added;
    struct image *image = inventory_image(inventory, digest, &added);
    if (added)
        image->media_type = mem_strdup(IMAGE);
    return image;
}

/* Two repositories; an index A of B and C, which share the blob D; B is also the other
 * repository's. */
static struct inventory *sample(void)
{
    bool added;
    struct inventory *inventory = inventory_new("reg:5000");
    struct repository *first = inventory_add_repository(inventory, "ns/app", "app");
    struct repository *second = inventory_add_repository(inventory, "ns/other", "other");
    struct blob *blob = inventory_blob(inventory, D, &added);
    blob->media_type = mem_strdup("application/x");
    blob->size = 5;
    image_add_blob(add_image(inventory, B), blob);
    image_add_blob(add_image(inventory, C), blob);
    image_add_child(add_image(inventory, A), add_image(inventory, B));
    image_add_child(add_image(inventory, A), add_image(inventory, C));
    repository_add_tag(first, "latest", add_image(inventory, A));
    repository_add_tag(first, "same", add_image(inventory, A));
    repository_add_untagged(second, add_image(inventory, B));
    repository_add_untagged(second, add_image(inventory, B));
    repository_skip(second, "tag old", "schema 1");
    return inventory;
}

static void test_walk(void)
{
    struct inventory *inventory = sample();
    struct image_list images;
    inventory_walk(inventory, inventory->repositories[0], &images);
    CU_ASSERT_EQUAL_FATAL(images.count, 3);
    expect_text(images.list[2]->digest, A); /* children first */
    free(images.list);
    inventory_walk(inventory, inventory->repositories[1], &images);
    CU_ASSERT_EQUAL(images.count, 1);
    free(images.list);
    inventory_free(inventory);
}

/* A registry may nest indexes as deep as it likes. */
static void test_deep(void)
{
    struct inventory *inventory = inventory_new("reg");
    struct repository *repository = inventory_add_repository(inventory, "a/b", "");
    struct image *above = NULL;
    for (unsigned i = 0; i < 200000; i++) {
        char digest[80];
        snprintf(digest, sizeof(digest), "sha256:%064x", i);
        struct image *image = add_image(inventory, digest);
        if (above == NULL)
            repository_add_tag(repository, "latest", image);
        else
            image_add_child(above, image);
        above = image;
    }
    image_add_child(above, repository->tags[0].image); /* and in a circle */
    struct image_list images;
    inventory_walk(inventory, repository, &images);
    CU_ASSERT_EQUAL(images.count, 200000);
    free(images.list);
    inventory_free(inventory);
}

static void forget_skipped(struct repository *repository)
{
    while (repository->skipped_count > 0) {
        struct skipped *skipped = &repository->skipped[--repository->skipped_count];
        free(skipped->what);
        free(skipped->reason);
    }
}

static void test_there_and_back(void)
{
    struct inventory *inventory = sample();
    struct inventory *read = inventory_new(NULL);
    for (size_t i = 0; i < inventory->repository_count; i++) {
        auto_buf struct buf text = buf_new(0);
        auto_buf struct buf again = buf_new(0);
        expect_ok(inventory_write(inventory, inventory->repositories[i], &text, err));
        expect_ok(inventory_read(read, buf_text(&text), text.length, err));
        CU_ASSERT_EQUAL_FATAL(read->repository_count, i + 1);
        forget_skipped(read->repositories[i]);
        forget_skipped(inventory->repositories[i]);
        buf_free(&text);
        expect_ok(inventory_write(inventory, inventory->repositories[i], &text, err));
        expect_ok(inventory_write(read, read->repositories[i], &again, err));
        expect_text(buf_text(&again), buf_text(&text));
    }
    inventory_free(read);
    inventory_free(inventory);
}

static void test_refused(void)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "{\"repository\":\"a/b\"}",
        "{\"version\":2,\"repository\":\"a/"
        "b\",\"tags\":[],\"untagged\":[],\"manifests\":[],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"../"
        "b\",\"tags\":[],\"untagged\":[],\"manifests\":[],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"a/b\",\"relative\":\"../c\",\"tags\":[],\"untagged\":[],"
        "\"manifests\":[],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"a/b\",\"tags\":[{\"name\":\"x\",\"digest\":\"" A
        "\"}],\"untagged\":[],\"manifests\":[],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"a/"
        "b\",\"tags\":[],\"untagged\":[7],\"manifests\":[],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"a/"
        "b\",\"tags\":[],\"untagged\":[],\"manifests\":[{\"digest\":\"" A
        "\",\"mediaType\":\"" IMAGE "\",\"blobs\":[\"" B "\"]}],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"a/"
        "b\",\"tags\":[],\"untagged\":[],\"manifests\":[{\"digest\":\"" A
        "\",\"blobs\":[]}],\"blobs\":[]}",
        "{\"version\":1,\"repository\":\"a/"
        "b\",\"tags\":[],\"untagged\":[],\"manifests\":[],\"blobs\":[{}]}",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct inventory *inventory = inventory_new(NULL);
        expect_error(FIRN_INVALID, inventory_read(inventory, wrong[i], strlen(wrong[i]), err));
        inventory_free(inventory);
    }
}

static const struct unit_test tests[] = {
    {"walk", test_walk},
    {"deep", test_deep},
    {"there and back", test_there_and_back},
    {"refused", test_refused},
};

int main(void)
{
    return unit_run("imagestream inventory", tests, array_length(tests));
}
