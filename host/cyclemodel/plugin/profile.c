/* QEMU plugin: counts what a Cortex-M executes between the entry of one function and its return.
 *
 * Each call of the function is a window of its own. For every translation block that ran in a window it counts runs,
 * fall-throughs to the next address and the blocks that ran before; for every instruction its reads, writes and
 * misaligned accesses; and it simulates caches and a branch predictor. All cycle arithmetic is left to the host.
 *
 * Arguments, name=value, numbers in any C base:
 *   out=FILE                          where the result goes
 *   entry=ADDRESS                     the function
 *   flash_lo= flash_hi=               addresses that go through both caches
 *   ram_lo= ram_hi=                   RAM that goes through the data cache
 *   ilines= iways= iline= isub=       instruction cache: lines, ways, bytes of a line and of a fill; 0 lines: none
 *   dlines= dways= dline= dsub=       data cache
 *   targets= history= returns=        branch predictor, see predictor.h
 *
 * The result is text, complete up to the last window that has ended (it is flushed there, so that QEMU may be killed):
 *   T block address instructions bytes          a block, before it is first counted
 *   C block runs fall_throughs                  in this window; the lines up to the next C belong to it
 *   L piece misses sequential_misses            of the block's fetches, piece = multiple of isub
 *   E before runs                               block that ran before
 *   P conditional direct indirect               mispredicted ends of the block
 *   M instruction reads writes flash_misses misaligned_half misaligned_even misaligned_odd ram_misses same_bank hazards
 *   W window write_backs                        the window ends
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "predictor.h"
#include "qplug.h"

QPLUG_EXPORT int qemu_plugin_version = QPLUG_VERSION; /* given by the build */

#define BUCKETS         65536u
#define RECENT_STORES   8u
#define HAZARD_DISTANCE 8u /* instructions between a store and a load that waits for it */
#define NOWHERE         UINT32_MAX
#define COPIES_CODE     3 /* version of the interface, see qemu_plugin_insn_data */

struct accesses {
    uint64_t reads, writes, flash_misses, misaligned_half, misaligned_even, misaligned_odd, ram_misses,
        same_bank, hazards;
};

struct block;

struct instruction {
    struct block *block;
    struct accesses accesses;
};

struct edge {
    struct block *before;
    uint64_t runs;
    struct edge *next;
};

struct block {
    uint32_t id, address, end, instructions, first_piece, pieces;
    struct branch last;
    uint8_t *bytes;
    uint64_t runs, fall_throughs, mispredicted[4];
    uint64_t *misses, *sequential_misses; /* a piece each */
    struct instruction *instruction;
    struct edge *edges;
    bool printed;
    struct block *next_in_bucket, *next_touched;
};

static struct block *buckets[BUCKETS], *touched;
static uint32_t block_count;
static struct cache code_cache, data_cache;
static uint32_t entry, flash_lo, flash_hi, ram_lo, ram_hi;
static bool predicts, active, copies_code;
static uint32_t return_address = NOWHERE, current_piece = NOWHERE;
static struct block *previous, *last_executed;
static uint64_t executed, windows, write_backs_before;
static FILE *out;

static void print_block(struct block *block) {
    if (!block->printed) {
        fprintf(out, "T %u %x %u ", block->id, block->address, block->instructions);
        for (uint32_t i = 0; i < block->end - block->address; i++) fprintf(out, "%02x", block->bytes[i]);
        fputc('\n', out);
        block->printed = true;
    }
    fprintf(out, "C %u %llu %llu\n", block->id, (unsigned long long)block->runs,
            (unsigned long long)block->fall_throughs);
    for (uint32_t i = 0; i < block->pieces; i++)
        if (block->misses[i] || block->sequential_misses[i])
            fprintf(out, "L %u %llu %llu\n", i, (unsigned long long)block->misses[i],
                    (unsigned long long)block->sequential_misses[i]);
    for (struct edge *e = block->edges; e; e = e->next)
        if (e->runs) fprintf(out, "E %u %llu\n", e->before->id, (unsigned long long)e->runs);
    const uint64_t *m = block->mispredicted;
    if (m[BRANCH_NONE] + m[BRANCH_CONDITIONAL] + m[BRANCH_DIRECT] + m[BRANCH_INDIRECT])
        fprintf(out, "P %llu %llu %llu\n", (unsigned long long)(m[BRANCH_NONE] + m[BRANCH_CONDITIONAL]),
                (unsigned long long)m[BRANCH_DIRECT], (unsigned long long)m[BRANCH_INDIRECT]);
    for (uint32_t i = 0; i < block->instructions; i++) {
        const struct accesses *a = &block->instruction[i].accesses;
        if (!a->reads && !a->writes) continue;
        const uint64_t counts[] = {a->reads,           a->writes,          a->flash_misses,
                                   a->misaligned_half, a->misaligned_even, a->misaligned_odd,
                                   a->ram_misses,      a->same_bank,       a->hazards};
        fprintf(out, "M %u", i);
        for (uint32_t k = 0; k < sizeof counts / sizeof *counts; k++)
            fprintf(out, " %llu", (unsigned long long)counts[k]);
        fputc('\n', out);
    }
}

static void forget_counts(struct block *block) {
    block->runs = block->fall_throughs = 0;
    memset(block->mispredicted, 0, sizeof block->mispredicted);
    memset(block->misses, 0, block->pieces * sizeof *block->misses);
    memset(block->sequential_misses, 0, block->pieces * sizeof *block->sequential_misses);
    for (struct edge *e = block->edges; e; e = e->next) e->runs = 0;
    for (uint32_t i = 0; i < block->instructions; i++) block->instruction[i].accesses = (struct accesses){0};
}

static void end_window(void) {
    for (struct block *b = touched; b; b = b->next_touched) print_block(b);
    while (touched) {
        struct block *b = touched;
        touched = b->next_touched;
        b->next_touched = NULL;
        forget_counts(b);
    }
    fprintf(out, "W %llu %llu\n", (unsigned long long)windows,
            (unsigned long long)(data_cache.write_backs - write_backs_before));
    fflush(out);
    windows++;
    active = false;
}

static void begin_window(void) {
    active = true;
    previous = NULL;
    write_backs_before = data_cache.write_backs;
    /* The caller's last block ends behind its call, unless an interrupt came between: then it is as last time. */
    if (last_executed && last_executed->last.is_call) return_address = last_executed->end;
}

static void count_edge(struct block *block) {
    struct edge *e = block->edges;
    while (e && e->before != previous) e = e->next;
    if (!e) {
        e = calloc(1, sizeof *e);
        e->before = previous;
        e->next = block->edges;
        block->edges = e;
    }
    e->runs++;
}

static void fetch(struct block *block, bool sequential) {
    for (uint32_t i = 0; i < block->pieces; i++) {
        const uint32_t piece = block->first_piece + i;
        if (piece == current_piece) continue; /* still in the fetch buffer */
        current_piece = piece;
        if (!cache_misses(&code_cache, piece * code_cache.sub_bytes, false)) continue;
        if (i || sequential)
            block->sequential_misses[i]++;
        else
            block->misses[i]++;
    }
}

static void on_block(unsigned cpu, void *data) {
    struct block *block = data;
    (void)cpu;
    if (active && block->address == return_address)
        end_window();
    else if (!active && block->address == entry)
        begin_window();
    last_executed = block;
    if (!active) return;
    if (block->runs++ == 0) {
        block->next_touched = touched;
        touched = block;
    }
    bool sequential = false;
    if (previous) {
        sequential = previous->end == block->address;
        previous->fall_throughs += sequential;
        executed += previous->instructions;
        if (predicts) {
            if (predictor_fails(&previous->last, block->address))
                previous->mispredicted[previous->last.kind]++;
            count_edge(block);
        }
    }
    previous = block;
    if (block->pieces) fetch(block, sequential);
}

/* A load that follows a store to the same double-word closely. */
static bool load_meets_store(uint32_t address, uint64_t now, bool is_store) {
    static struct {
        uint32_t double_word;
        uint64_t when;
    } stores[RECENT_STORES];
    static uint32_t next;
    if (is_store) {
        stores[next % RECENT_STORES].double_word = address / 8;
        stores[next++ % RECENT_STORES].when = now;
        return false;
    }
    for (uint32_t i = 0; i < RECENT_STORES; i++)
        if (stores[i].double_word == address / 8 && now - stores[i].when <= HAZARD_DISTANCE) return true;
    return false;
}

static void on_access(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t virtual_address, void *data) {
    static uint32_t last_bank;
    struct instruction *instruction = data;
    (void)cpu;
    if (!active) return;
    struct accesses *a = &instruction->accesses;
    const uint32_t address = (uint32_t)virtual_address;
    const unsigned shift = qemu_plugin_mem_size_shift(info);
    const bool is_store = qemu_plugin_mem_is_store(info);
    if (address & ((1u << shift) - 1)) {
        if (shift == 1)
            a->misaligned_half++;
        else if (shift == 2 && (address & 1))
            a->misaligned_odd++;
        else if (shift == 2)
            a->misaligned_even++;
    }
    const uint64_t now = executed + (uint64_t)(instruction - instruction->block->instruction);
    const bool hazard = load_meets_store(address, now, is_store);
    const bool cached_ram = address >= ram_lo && address < ram_hi;
    if (cached_ram && data_cache.lines && cache_misses(&data_cache, address, is_store)) a->ram_misses++;
    if (is_store) {
        a->writes++;
        return;
    }
    a->reads++;
    a->hazards += hazard;
    const uint32_t bank = address >> 2 & 1;
    a->same_bank += bank == last_bank;
    last_bank = bank;
    if (address >= flash_lo && address < flash_hi && data_cache.lines &&
        cache_misses(&data_cache, address, false))
        a->flash_misses++;
}

static struct block *find_block(uint32_t address, uint32_t instructions) {
    const uint32_t bucket = (address >> 1) * 2654435761u >> 16;
    for (struct block *b = buckets[bucket]; b; b = b->next_in_bucket)
        if (b->address == address && b->instructions == instructions) return b;
    struct block *b = calloc(1, sizeof *b);
    b->id = block_count++;
    b->address = address;
    b->instructions = instructions;
    b->next_in_bucket = buckets[bucket];
    buckets[bucket] = b;
    return b;
}

static void describe_block(struct block *block, const struct qemu_plugin_tb *tb) {
    const uint32_t count = block->instructions;
    block->instruction = calloc(count, sizeof *block->instruction);
    block->bytes = malloc((size_t)count * 4);
    uint8_t *end = block->bytes;
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint8_t copied[16] = {0};
        const uintptr_t data = qemu_plugin_insn_data(insn, copied, sizeof copied);
        const uint8_t *code = copies_code ? copied : (const uint8_t *)data;
        /* Near the end of a page QEMU 7.2 appends bytes that it peeked at: the first halfword tells the size. */
        size = code[1] >> 3 >= 0x1d && qemu_plugin_insn_size(insn) >= 4 ? 4 : 2;
        block->instruction[i].block = block;
        memcpy(end, code, size);
        end += size;
    }
    block->end = block->address + (uint32_t)(end - block->bytes);
    const uint8_t *last = end - size;
    block->last = branch_of(block->end - size, size, (uint32_t)(last[0] | last[1] << 8),
                            size == 4 ? (uint32_t)(last[2] | last[3] << 8) : 0);
    if (code_cache.lines && block->address >= flash_lo && block->address < flash_hi) {
        block->first_piece = block->address / code_cache.sub_bytes;
        block->pieces = (block->end - 1) / code_cache.sub_bytes - block->first_piece + 1;
    }
    block->misses = calloc(block->pieces + 1, sizeof *block->misses);
    block->sequential_misses = calloc(block->pieces + 1, sizeof *block->sequential_misses);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const size_t count = qemu_plugin_tb_n_insns(tb);
    if (!count) return;
    struct block *block = find_block((uint32_t)qemu_plugin_tb_vaddr(tb), (uint32_t)count);
    if (!block->instruction) describe_block(block, tb);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
    for (size_t i = 0; i < count; i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, &block->instruction[i]);
}

QPLUG_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    uint32_t targets = 0, history = 0, returns = 0;
    const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {
        {"entry", &entry},
        {"flash_lo", &flash_lo},
        {"flash_hi", &flash_hi},
        {"ram_lo", &ram_lo},
        {"ram_hi", &ram_hi},
        {"ilines", &code_cache.lines},
        {"iways", &code_cache.ways},
        {"iline", &code_cache.line_bytes},
        {"isub", &code_cache.sub_bytes},
        {"dlines", &data_cache.lines},
        {"dways", &data_cache.ways},
        {"dline", &data_cache.line_bytes},
        {"dsub", &data_cache.sub_bytes},
        {"targets", &targets},
        {"history", &history},
        {"returns", &returns},
    };
    copies_code = info->version.cur >= COPIES_CODE;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value) *value++ = '\0';
        bool known = false;
        if (value && !strcmp(argv[i], "out")) {
            out = fopen(value, "w");
            known = out != NULL;
        }
        for (size_t k = 0; value && k < sizeof numbers / sizeof *numbers; k++) {
            if (strcmp(argv[i], numbers[k].name)) continue;
            *numbers[k].value = (uint32_t)strtoull(value, NULL, 0);
            known = true;
        }
        if (known) continue;
        fprintf(stderr, "profile: cannot use argument %s\n", argv[i]);
        return -1;
    }
    if (!out) {
        fprintf(stderr, "profile: no file to write to\n");
        return -1;
    }
    entry &= ~1u;
    cache_init(&code_cache);
    cache_init(&data_cache);
    predicts = targets != 0;
    predictor_init(targets, history, returns);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
