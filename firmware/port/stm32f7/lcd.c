/* A panel RK043FN48H on the LTDC, as on the STM32F746G-DISCO: RM0385 18 (LTDC), 5.3.25 (PLLSAI), UM1907 (wiring), and the panel's data
 * sheet (timing). One layer of 8 bits a pixel with a table of colours, so that the picture fits internal RAM. */
#include "../display.h"

#include "cache.h"
#include "clock.h"
#include "family.h"
#include "gpio.h"

#if BOARD_DISPLAY_WIDTH
    #ifndef BOARD_DISPLAY_RK043FN48H
        #error "stm32f7: display.kind must be rk043fn48h"
    #endif

struct ltdc {
    volatile uint32_t reserved0[2], SSCR, BPCR, AWCR, TWCR, GCR, reserved1[2], SRCR, reserved2, BCCR,
        reserved3;
    volatile uint32_t IER, ISR, ICR, LIPCR, CPSR, CDSR;
};
struct ltdc_layer {
    volatile uint32_t CR, WHPCR, WVPCR, CKCR, PFCR, CACR, DCCR, BFCR, reserved0[2], CFBAR, CFBLR, CFBLNR;
    volatile uint32_t reserved1[3], CLUTWR;
};
    #define LTDC       ((struct ltdc *)0x40016800u)
    #define LTDC_LAYER ((struct ltdc_layer *)0x40016884u)

    #define LTDC_GCR_LTDCEN (1u << 0)
    #define LTDC_GCR_POLARITIES                                                                              \
        (0xfu << 28) /* all 0: syncs active low, data enable high, clock not inverted */
    #define LTDC_SRCR_IMR        (1u << 0)
    #define LTDC_LXCR_LEN        (1u << 0)
    #define LTDC_LXCR_CLUTEN     (1u << 4)
    #define LTDC_LXPFCR_L8       5u
    #define LTDC_LXBFCR_CONSTANT (4u << 8 | 5u) /* the layer's constant alpha, and one minus it */

    #define RCC_PLLSAICFGR              REG32(0x40023888u)
    #define RCC_PLLSAICFGR_N_MASK       (0x1ffu << 6)
    #define RCC_PLLSAICFGR_R_MASK       (7u << 28)
    #define RCC_DCKCFGR1                REG32(0x4002388cu)
    #define RCC_DCKCFGR1_PLLSAIDIV_MASK (3u << 16)
    #define RCC_DCKCFGR1_PLLSAIDIV_4    (1u << 16)
    #define RCC_CR_PLLSAION             (1u << 28)
    #define RCC_CR_PLLSAIRDY            (1u << 29)
    #define RCC_PLLCFGR_M_MASK          0x3fu
    #define RCC_APB2ENR_LTDCEN          (1u << 26)

    /* 9.6 MHz, of 5 to 12; 566 x 286 periods a picture make 59.3 pictures a second */
    #define SAI_VCO_HZ     192000000u
    #define SAI_R          5u
    #define SAI_DIVIDER    4u
    #define PIXEL_HZ       (SAI_VCO_HZ / SAI_R / SAI_DIVIDER)
    #define HSYNC          41u
    #define H_BACK_PORCH   13u
    #define H_FRONT_PORCH  32u
    #define VSYNC          10u
    #define V_BACK_PORCH   2u
    #define V_FRONT_PORCH  2u
    #define H_ACTIVE_AFTER (HSYNC + H_BACK_PORCH)
    #define V_ACTIVE_AFTER (VSYNC + V_BACK_PORCH)

_Static_assert(PIXEL_HZ >= 5000000u && PIXEL_HZ <= 12000000u, "the panel's clock");
_Static_assert(H_ACTIVE_AFTER + BOARD_DISPLAY_WIDTH + H_FRONT_PORCH <= 605, "the panel's longest line");
_Static_assert(V_ACTIVE_AFTER + BOARD_DISPLAY_HEIGHT + V_FRONT_PORCH <= 335, "the panel's most lines");

static const struct {
    uint8_t port, pin, af;
} pins[] = {BOARD_DISPLAY_PINS};
static const struct {
    uint8_t port, pin;
} high_pins[] = {BOARD_DISPLAY_HIGH};

struct display_size port_display_size(void) {
    return (struct display_size){BOARD_DISPLAY_WIDTH, BOARD_DISPLAY_HEIGHT};
}

/* The panel's standby and its backlight, on or off. */
static void light(bool on) {
    for (uint32_t i = 0; i < sizeof high_pins / sizeof *high_pins; i++)
        gpio_output(high_pins[i].port, high_pins[i].pin, on);
}

/* PLLSAI shares the main PLL's input. Its settings may change only while it is off. */
static bool pixel_clock_starts(void) {
    const uint32_t pllcfgr = RCC->PLLCFGR;
    const uint32_t source_hz = pllcfgr & RCC_PLLCFGR_SRC_HSE ? BOARD_CRYSTAL_HZ : RESET_CLOCK_HZ;
    const uint32_t input_hz = source_hz / (pllcfgr & RCC_PLLCFGR_M_MASK);
    RCC->CR &= ~RCC_CR_PLLSAION;
    if (!wait_for(&RCC->CR, RCC_CR_PLLSAIRDY, 0)) return false;
    RCC_PLLSAICFGR = (RCC_PLLSAICFGR & ~(RCC_PLLSAICFGR_N_MASK | RCC_PLLSAICFGR_R_MASK)) |
                     SAI_VCO_HZ / input_hz << 6 | SAI_R << 28;
    RCC_DCKCFGR1 = (RCC_DCKCFGR1 & ~RCC_DCKCFGR1_PLLSAIDIV_MASK) | RCC_DCKCFGR1_PLLSAIDIV_4;
    RCC->CR |= RCC_CR_PLLSAION;
    return wait_for(&RCC->CR, RCC_CR_PLLSAIRDY, RCC_CR_PLLSAIRDY);
}

/* Two positions, each less one and with all that comes before it, as the timing registers want them. */
static uint32_t positions(uint32_t x, uint32_t y) {
    return (x - 1) << 16 | (y - 1);
}

static void layer_start(const uint8_t *pixels, const uint32_t colours[256]) {
    LTDC_LAYER->CR = 0; /* colours may be written while the layer is off */
    for (uint32_t i = 0; i < 256; i++) LTDC_LAYER->CLUTWR = i << 24 | colours[i];
    LTDC_LAYER->WHPCR = (H_ACTIVE_AFTER + BOARD_DISPLAY_WIDTH - 1) << 16 | H_ACTIVE_AFTER;
    LTDC_LAYER->WVPCR = (V_ACTIVE_AFTER + BOARD_DISPLAY_HEIGHT - 1) << 16 | V_ACTIVE_AFTER;
    LTDC_LAYER->PFCR = LTDC_LXPFCR_L8;
    LTDC_LAYER->CACR = 255;
    LTDC_LAYER->BFCR = LTDC_LXBFCR_CONSTANT;
    LTDC_LAYER->CFBAR = (uint32_t)(uintptr_t)pixels;
    LTDC_LAYER->CFBLR = BOARD_DISPLAY_WIDTH << 16 | (BOARD_DISPLAY_WIDTH + 3); /* pitch, and length + 3 */
    LTDC_LAYER->CFBLNR = BOARD_DISPLAY_HEIGHT;
    LTDC_LAYER->CR = LTDC_LXCR_LEN | LTDC_LXCR_CLUTEN;
    LTDC->SRCR = LTDC_SRCR_IMR;
}

bool port_display_start(const uint8_t *pixels, const uint32_t colours[256]) {
    if (!pixel_clock_starts()) return false;
    for (uint32_t i = 0; i < sizeof pins / sizeof *pins; i++)
        gpio_alternate(pins[i].port, pins[i].pin, pins[i].af);
    RCC->APB2ENR |= RCC_APB2ENR_LTDCEN;
    (void)RCC->APB2ENR; /* the clock reaches the block after the next bus access */
    LTDC->SSCR = positions(HSYNC, VSYNC);
    LTDC->BPCR = positions(H_ACTIVE_AFTER, V_ACTIVE_AFTER);
    LTDC->AWCR = positions(H_ACTIVE_AFTER + BOARD_DISPLAY_WIDTH, V_ACTIVE_AFTER + BOARD_DISPLAY_HEIGHT);
    LTDC->TWCR = positions(H_ACTIVE_AFTER + BOARD_DISPLAY_WIDTH + H_FRONT_PORCH,
                           V_ACTIVE_AFTER + BOARD_DISPLAY_HEIGHT + V_FRONT_PORCH);
    LTDC->BCCR = 0;
    LTDC->GCR &= ~LTDC_GCR_POLARITIES;
    port_display_update();
    layer_start(pixels, colours);
    LTDC->GCR |= LTDC_GCR_LTDCEN;
    light(true);
    return true;
}

/* The controller reads RAM behind the data cache's back. */
void port_display_update(void) {
    caches_clean();
}

void port_display_stop(void) {
    light(false);
    LTDC_LAYER->CR = 0;
    LTDC->SRCR = LTDC_SRCR_IMR;
    LTDC->GCR &= ~LTDC_GCR_LTDCEN;
    (void)LTDC->GCR; /* no read of the pixels is under way when the caller goes on */
    RCC->APB2ENR &= ~RCC_APB2ENR_LTDCEN;
    RCC->CR &= ~RCC_CR_PLLSAION;
}

#endif
