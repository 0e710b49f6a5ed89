/* RM0090: 8 GPIO; the same in the other families' manuals. */
#include "gpio.h"

#include "family.h"

struct gpio {
    volatile uint32_t MODER, OTYPER, OSPEEDR, PUPDR, IDR, ODR, BSRR, LCKR, AFR[2];
};
#define GPIO(port)          ((struct gpio *)(GPIO_BASE + 0x400u * (port)))
#define GPIO_MODE_OUTPUT    1u
#define GPIO_MODE_ALTERNATE 2u
#define GPIO_SPEED_HIGH     2u
#define GPIO_OPEN_DRAIN     1u
#define GPIO_PULL_UP        1u

static void set_field(volatile uint32_t *reg, uint32_t shift, uint32_t mask, uint32_t value) {
    *reg = (*reg & ~(mask << shift)) | value << shift;
}

static struct gpio *enabled(uint32_t port) {
    *GPIO_ENABLE_REG |= 1u << port;
    (void)*GPIO_ENABLE_REG; /* the clock reaches the block after the next bus access */
    return GPIO(port);
}

void gpio_output(uint32_t port, uint32_t pin, bool high) {
    struct gpio *gpio = enabled(port);
    gpio->BSRR = 1u << (high ? pin : pin + 16);
    set_field(&gpio->MODER, pin * 2, 3, GPIO_MODE_OUTPUT);
}

void gpio_open_drain(uint32_t port, uint32_t pin, bool high) {
    struct gpio *gpio = enabled(port);
    set_field(&gpio->OTYPER, pin, 1, GPIO_OPEN_DRAIN);
    set_field(&gpio->PUPDR, pin * 2, 3, GPIO_PULL_UP);
    gpio_output(port, pin, high);
}

void gpio_alternate(uint32_t port, uint32_t pin, uint32_t af) {
    struct gpio *gpio = enabled(port);
    set_field(&gpio->AFR[pin / 8], pin % 8 * 4, 0xf, af);
    set_field(&gpio->OSPEEDR, pin * 2, 3, GPIO_SPEED_HIGH);
    set_field(&gpio->PUPDR, pin * 2, 3, GPIO_PULL_UP); /* an open line must not look like data */
    set_field(&gpio->MODER, pin * 2, 3, GPIO_MODE_ALTERNATE);
}
