#include "mlperf.h"

#include <stddef.h>
#include <string.h>

#include "../../port/port.h"
#include "../build_info.h"
#include "../receive.h"
#include "network.h"
#include "say.h"

#define FIRMWARE_VERSION "ULPMark for tinyML Firmware V0.0.1"
#define US_PER_S         1000000u
#define NS_PER_S         1000000000u
#define BUFFER_LINE      8u
#define DEFAULT_RUNS     1u
#define DEFAULT_WARM_UPS 10u

static struct mlperf_network network;

/* The port's counter, lengthened to 64 bits; looked at at least once a step. */
static uint64_t ticks;
static uint32_t last_count;

static void tick(void) {
    const uint32_t now = port_counter();
    ticks += now - last_count;
    last_count = now;
}

/* Times are pulses at a pin, and the line is slow. */
static bool energy_mode;

static struct lookout lookout;

/* Between steps. A host that reads frames ends inferences as it ends a RUN. */
static bool go_on(struct session *session) {
    tick();
    port_feed();
    return !lookout_new_host(&lookout, session);
}

static void say_error(const char *text) {
    say("e-[");
    say(text);
    say("]\r\n");
}

/* Sending the line takes no part of the time, so that a slow line makes no inference slower. */
static void timestamp(void) {
    tick();
    if (energy_mode) {
        port_pulse();
        return;
    }
    const uint32_t hz =
        port_info().clock_hz; /* 0: the counter counts nanoseconds, and is good for nothing else */
    uint32_t rest;
    const uint64_t seconds = divide(ticks, hz == 0 ? NS_PER_S : hz, &rest);
    uint32_t unused;
    const uint64_t us =
        seconds * US_PER_S + divide((uint64_t)rest * US_PER_S, hz == 0 ? NS_PER_S : hz, &unused);
    say("m-lap-us-");
    say_number(us);
    say("\r\n");
    last_count = port_counter();
}

/* The next word of the command, or NULL. */
static char *next_word(char **rest) {
    char *word = *rest;
    while (*word == ' ') word++;
    if (*word == 0) return NULL;
    char *end = word;
    while (*end != 0 && *end != ' ') end++;
    *rest = end;
    if (*end != 0) {
        *end = 0;
        *rest = end + 1;
    }
    return word;
}

/* Instead of strcmp(), which newlib makes 700 bytes of. */
static bool is(const char *word, const char *name) {
    while (*word != 0 && *word == *name) word++, name++;
    return *word == *name;
}

/* As atoi(), and at most INT32_MAX. */
static int32_t number_in(const char *word) {
    const bool negative = *word == '-';
    if (negative || *word == '+') word++;
    int32_t number = 0;
    for (; *word >= '0' && *word <= '9'; word++) {
        const int32_t digit = *word - '0';
        number = number > (INT32_MAX - digit) / 10 ? INT32_MAX : number * 10 + digit;
    }
    return negative ? -number : number;
}

static int32_t hex_digit(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

/* Whether there is a network for the benchmark; says what is wrong. */
static bool is_there(void) {
    if (network.block != NULL) return true;
    if (network.plan_refused)
        say_error("The plan in flash is refused; host run tells why");
    else if (network.wrong != MLPERF_FIELD_NONE) {
        say("e-[Wrong in the MLPerf block: ");
        say(mlperf_field_text(network.wrong));
        say("]\r\n");
    } else
        say_error("No network for MLPerf Tiny in flash; host mlperf puts one there");
    return false;
}

static void load(struct session *session, char *rest) {
    const char *word = next_word(&rest);
    if (word == NULL) {
        say_error("Command 'db load' requires the # of bytes");
        return;
    }
    const int32_t bytes = number_in(word);
    if (bytes <= 0) {
        say_error("Command 'db load' must be >0 bytes");
        return;
    }
    const char *wrong = mlperf_network_open(&network, session);
    if (wrong != NULL) {
        say_error(wrong);
        return;
    }
    network.loaded = network.expected = 0;
    if ((uint32_t)bytes > network.raw_bytes) {
        say("e-[Supplied buffer size ");
        say_number((uint32_t)bytes);
        say(" exceeds maximum of ");
        say_number(network.raw_bytes);
        say("]\r\n");
        return;
    }
    network.expected = (uint32_t)bytes;
    memset(network.buffer, 0, network.expected);
    say("m-[Expecting ");
    say_number(network.expected);
    say(" bytes]\r\n");
}

/* Whether the buffer is still ours: a host that reads frames may have taken its memory. */
static bool has_buffer(const struct session *session) {
    return network.buffer != NULL && network.plan_number == session->plan_number && network.expected > 0;
}

static void print_buffer(const struct session *session) {
    const uint32_t count = has_buffer(session) ? network.expected : 0;
    for (uint32_t i = 0; i < count; i++) {
        say(i % BUFFER_LINE == 0 ? "m-buffer-" : "-");
        say_hex(network.buffer[i]);
        if ((i + 1) % BUFFER_LINE == 0 || i + 1 == count) say("\r\n");
        port_feed(); /* at 9600 baud the largest input takes a minute and a half */
    }
    if (count % BUFFER_LINE != 0) say("\r\n"); /* so does the benchmark's own */
}

static void take_hex(const struct session *session, const char *digits) {
    if (strlen(digits) % 2 != 0) {
        say_error("Insufficent number of hex digits");
        return;
    }
    if (!has_buffer(session) || network.loaded == network.expected) {
        say_error("Command 'db' has no room for bytes; 'db load' makes some");
        return;
    }
    for (; *digits != 0; digits += 2) {
        const int32_t high = hex_digit(digits[0]), low = hex_digit(digits[1]);
        if (high < 0 || low < 0) {
            say("e-[Invalid hex digit '");
            say((const char[]){digits[0], digits[1], 0});
            say("']\r\n");
            return;
        }
        network.buffer[network.loaded++] = (uint8_t)(high << 4 | low);
        if (network.loaded == network.expected) {
            say("m-load-done\r\n");
            return; /* more digits are disregarded */
        }
    }
}

static void buffer_command(struct session *session, char *rest) {
    const char *word = next_word(&rest);
    if (word == NULL)
        say_error("Command 'db' requires a subcommand");
    else if (!is_there())
        return;
    else if (is(word, "load"))
        load(session, rest);
    else if (is(word, "print"))
        print_buffer(session);
    else
        take_hex(session, word);
}

static void say_results(void) {
    if (!network.has_result) {
        say_error("No inference has run");
        return;
    }
    const struct mlperf_block *block = network.block;
    say("m-results-[");
    if (block->result_kind == MLPERF_RESULT_SQUARED_ERROR) say_thousandths(network.squared_error);
    for (uint32_t i = 0; i < network.score_count; i++) {
        if (i > 0) say(",");
        say_thousandths(block->output_scale * (float)(network.scores[i] - block->output_zero_point));
    }
    say("]\r\n");
}

/* Writes the input again only where the plan has used its memory for something else. */
static bool infer_times(struct session *session, uint32_t times) {
    const bool survives = plan_inputs_survive(&session->plan);
    for (uint32_t i = 0; i < times; i++) {
        if (!survives) mlperf_network_write_input(&network, session);
        if (!mlperf_network_infer(session, go_on)) {
            say_error("Ended by a host that reads frames");
            return false;
        }
    }
    return true;
}

static void infer(struct session *session, char *rest) {
    uint32_t runs = DEFAULT_RUNS, warm_ups = DEFAULT_WARM_UPS;
    const char *word = next_word(&rest);
    if (word != NULL) {
        const int32_t number = number_in(word);
        if (number <= 0) {
            say_error("Inference iterations must be >0");
            return;
        }
        runs = (uint32_t)number;
        word = next_word(&rest);
    }
    if (word != NULL) {
        const int32_t number = number_in(word);
        if (number < 0) {
            say_error("Inference warmup must be >=0");
            return;
        }
        warm_ups = (uint32_t)number;
    }
    if (!is_there()) return;
    if (!mlperf_network_loaded(&network, session)) {
        say_error("No whole input is loaded; 'db load' begins one");
        return;
    }
    if (!mlperf_network_prepare(&network, session)) {
        say_error("The input holds a number that is not finite");
        return;
    }
    mlperf_network_write_input(&network, session);
    say("m-warmup-start-");
    say_number(warm_ups);
    say("\r\n");
    lookout_init(&lookout);
    if (!infer_times(session, warm_ups)) return;
    say("m-warmup-done\r\nm-infer-start-");
    say_number(runs);
    say("\r\n");
    timestamp();
    if (!infer_times(session, runs)) return;
    timestamp();
    mlperf_network_keep_result(&network, session);
    say("m-infer-done\r\n");
    say_results();
}

static void say_profile(void) {
    say("m-profile-[" FIRMWARE_VERSION "]\r\nm-model-[");
    say(network.block != NULL ? network.block->model : "none");
    say("]\r\n");
}

static void say_help(void) {
    /* Word for word the benchmark's. */
    say(FIRMWARE_VERSION "\r\n"
                         "\r\n"
                         "help         : Print this information\r\n"
                         "name         : Print the name of the device\r\n"
                         "timestsamp   : Generate a timetsamp\r\n"
                         "db SUBCMD    : Manipulate a generic byte buffer\r\n"
                         "  load N     : Allocate N bytes and set load counter\r\n"
                         "  db HH[HH]* : Load 8-bit hex byte(s) until N bytes\r\n"
                         "  print [N=16] [offset=0]\r\n"
                         "             : Print N bytes at offset as hex\r\n"
                         "infer N [W=0]: Load input, execute N inferences after W warmup loops\r\n"
                         "results      : Return the result fp32 vector\r\n");
}

static void work_off(struct session *session, char *rest) {
    const char *word = next_word(&rest);
    if (word == NULL) word = "";
    if (is(word, "name")) {
        say("m-name-dut-[tinyconv ");
        say(build_board);
        say("]\r\n");
    } else if (is(word, "timestamp"))
        timestamp();
    else if (is(word, "profile"))
        say_profile();
    else if (is(word, "help"))
        say_help();
    else if (is(word, "db"))
        buffer_command(session, rest);
    else if (is(word, "infer"))
        infer(session, rest);
    else if (is(word, "results"))
        say_results();
    else {
        say("e-[Unknown command: ");
        say(word);
        say("]\r\n");
    }
}

void mlperf_command(struct session *session, struct command_line *line) {
    if (line->too_long)
        say_error("Command exceeds 80 characters");
    else
        work_off(session, line->text);
    say("m-ready\r\n");
}

void mlperf_start(struct session *session) {
    last_count = port_counter();
    mlperf_network_find(&network, session);
    if (network.block == NULL) return;
    if (network.block->flags & MLPERF_FLAG_ENERGY) {
        if (!port_has_energy_pin()) {
            network.block = NULL;
            network.wrong = MLPERF_FIELD_FLAGS;
            return;
        }
        energy_mode = true;
        port_go_slow(true);
        say("m-timestamp-mode-energy\r\n");
        timestamp(); /* the monitor sees a level, and an edge */
    } else
        say("m-timestamp-mode-performance\r\n");
    say("m-init-done\r\n"
        "m-ready\r\n");
}

void mlperf_leave_energy_mode(void) {
    if (!energy_mode) return;
    energy_mode = false;
    port_go_slow(false);
}
