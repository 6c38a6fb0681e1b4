/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload DIRECTORY PAUSE PORT: what the guest of the lab does all day. It appends numbered, checksummed records to
 * DIRECTORY/log, each followed by fsync, churns metadata (create, rename), and only then acknowledges the record on PORT:
 *
 *     record:           "rec %012u at SECONDS.MS" padded to 54 bytes, a blank, FNV-1a of the text in 8 hex digits, newline
 *     acknowledgement:  "ACK DIRECTORY NUMBER\n"
 *
 * A copy of the file system taken at one point in time must hold every record that was acknowledged before it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD_LENGTH 64

static void make_record(unsigned long number, char record[RECORD_LENGTH + 1])
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char text[55];
    snprintf(text, sizeof(text), "rec %012lu at %ld.%03ld", number, (long)now.tv_sec,
             now.tv_nsec / 1000000);
    uint32_t sum = 2166136261u;
    for (const char *byte = text; *byte != '\0'; byte++)
        sum = (sum ^ (unsigned char)*byte) * 16777619u;
    snprintf(record, RECORD_LENGTH + 1, "%-54s %08x\n", text, sum);
}

/* Writes a small file and renames it over an older one, so that the journal is never idle. */
static int churn(const char *directory, unsigned long number, const char *record)
{
    char temporary[256], final[256];
    snprintf(temporary, sizeof(temporary), "%s/new.%lu", directory, number % 8);
    snprintf(final, sizeof(final), "%s/file.%lu", directory, number % 8);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return -1;
    int failed = write(fd, record, RECORD_LENGTH) != RECORD_LENGTH || fsync(fd) < 0;
    failed |= close(fd) < 0;
    return failed || rename(temporary, final) < 0 ? -1 : 0;
}

static int acknowledge(int port, const char *directory, unsigned long number)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "ACK %s %lu\n", directory, number);
    return write(port, text, (size_t)length) == length ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    char path[256], record[RECORD_LENGTH + 1];
    snprintf(path, sizeof(path), "%s/log", argv[1]);
    int log = open(path, O_RDWR | O_CREAT, 0644);
    int port = open(argv[3], O_WRONLY | O_NOCTTY);
    if (log < 0 || port < 0) {
        perror(argv[1]);
        return 1;
    }
    unsigned long number = (unsigned long)lseek(log, 0, SEEK_END) / RECORD_LENGTH;
    lseek(log, (off_t)(number * RECORD_LENGTH), SEEK_SET);
    for (;; number++) {
        make_record(number, record);
        if (write(log, record, RECORD_LENGTH) != RECORD_LENGTH || fsync(log) < 0 ||
            churn(argv[1], number, record) < 0 || acknowledge(port, argv[1], number) < 0) {
            perror(argv[1]);
            return 1;
        }
        usleep((useconds_t)atoi(argv[2]) * 1000);
    }
}
