/* A flash algorithm for the STM32F4 in the form of CMSIS packs (Open-CMSIS-Pack, "Flash Programming"), of our own:
 * the tests make a pack with it. Registers and sequences: RM0090, section 3. */
#include <stdint.h>

#define CODE __attribute__((section("PrgCode"), used))
#define KEYR (*(volatile uint32_t *)0x40023C04)
#define SR   (*(volatile uint32_t *)0x40023C0C)
#define CR   (*(volatile uint32_t *)0x40023C10)
enum { CR_PG = 1u << 0, CR_SER = 1u << 1, CR_X32 = 2u << 8, CR_STRT = 1u << 16, CR_LOCK = 1u << 31 };
enum { SR_BSY = 1u << 16, SR_ERRORS = 0xF0 };

struct flash_sectors {
    uint32_t size, offset;
};
struct flash_device {
    uint16_t version;
    char name[128];
    uint16_t type;
    uint32_t address, bytes, page_bytes, reserved;
    uint8_t erased;
    uint32_t program_ms, erase_ms;
    struct flash_sectors sectors[4];
};

__attribute__((section("DevDscr"), used)) const struct flash_device FlashDevice = {
    0x0101,
    "STM32F405 of the tests",
    1,
    0x08000000,
    0x100000,
    0x400,
    0,
    0xFF,
    1000,
    6000,
    {{0x4000, 0}, {0x10000, 0x10000}, {0x20000, 0x20000}, {0xFFFFFFFF, 0xFFFFFFFF}},
};

static inline int finished(void) {
    while (SR & SR_BSY) {}
    int failed = (SR & SR_ERRORS) != 0;
    SR = SR_ERRORS;
    return failed;
}

CODE int Init(uint32_t address, uint32_t clock, uint32_t what) {
    (void)address, (void)clock, (void)what;
    KEYR = 0x45670123;
    KEYR = 0xCDEF89AB;
    SR = SR_ERRORS;
    return (CR & CR_LOCK) != 0;
}

CODE int UnInit(uint32_t what) {
    (void)what;
    CR |= CR_LOCK;
    return 0;
}

CODE int EraseSector(uint32_t address) {
    uint32_t at = address - 0x08000000;
    uint32_t number = at < 0x10000 ? at >> 14 : at < 0x20000 ? 4 : (at >> 17) + 4;
    CR = CR_SER | CR_X32 | number << 3;
    CR |= CR_STRT;
    int failed = finished();
    CR = 0;
    return failed;
}

CODE int ProgramPage(uint32_t address, uint32_t bytes, const uint32_t *data) {
    CR = CR_PG | CR_X32;
    int failed = 0;
    for (uint32_t at = 0; at < bytes && !failed; at += 4) {
        *(volatile uint32_t *)(address + at) = *data++;
        failed = finished();
    }
    CR = 0;
    return failed;
}
