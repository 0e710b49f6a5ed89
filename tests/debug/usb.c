/* Stands before libusb (LD_PRELOAD) and shows OpenOCD one ST-Link/V2-1 that fails in a chosen way, to record what its
 * driver says then. USB_FAILS: access (no permission to open it), busy (claimed by somebody), gone (unplugged after it was
 * opened). Only what OpenOCD 0.12 calls is here; the interface is libusb 1.0's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { ERROR_ACCESS = -3, ERROR_NO_DEVICE = -4, ERROR_BUSY = -6 };

struct device_descriptor {
    uint8_t length, type;
    uint16_t usb;
    uint8_t device_class, subclass, protocol, packet;
    uint16_t vendor, product, device;
    uint8_t manufacturer_string, product_string, serial_string, configurations;
};

struct endpoint_descriptor {
    uint8_t length, type, address, attributes;
    uint16_t packet;
    uint8_t interval, refresh, synch;
    const unsigned char *extra;
    int extra_length;
};

struct interface_descriptor {
    uint8_t length, type, number, setting, endpoints, interface_class, subclass, protocol, string;
    const struct endpoint_descriptor *endpoint;
    const unsigned char *extra;
    int extra_length;
};

struct interface {
    const struct interface_descriptor *setting;
    int settings;
};

struct config_descriptor {
    uint8_t length, type;
    uint16_t total;
    uint8_t interfaces, value, string, attributes, power;
    const struct interface *interface;
    const unsigned char *extra;
    int extra_length;
};

static int one_device;
static const struct endpoint_descriptor endpoints[] = {
    {.length = 7, .type = 5, .address = 0x01, .attributes = 2, .packet = 64},
    {.length = 7, .type = 5, .address = 0x81, .attributes = 2, .packet = 64},
};
static const struct interface_descriptor setting = {
    .length = 9, .type = 4, .endpoints = 2, .interface_class = 0xFF, .endpoint = endpoints};
static const struct interface interface = {&setting, 1};
static struct config_descriptor config = {
    .length = 9, .type = 2, .interfaces = 1, .value = 1, .interface = &interface};

static int fails(const char *how) {
    const char *chosen = getenv("USB_FAILS");
    return chosen != NULL && strcmp(chosen, how) == 0;
}

int libusb_init(void **context) {
    if (context != NULL) {
        *context = &one_device;
    }
    return 0;
}

void libusb_exit(void *context) {
    (void)context;
}

ssize_t libusb_get_device_list(void *context, void ***list) {
    (void)context;
    *list = calloc(2, sizeof **list);
    (*list)[0] = &one_device;
    return 1;
}

void libusb_free_device_list(void **list, int unref) {
    (void)unref;
    free(list);
}

int libusb_get_device_descriptor(void *device, struct device_descriptor *out) {
    (void)device;
    *out = (struct device_descriptor){18, 1, 0x200, 0, 0, 0, 64, 0x0483, 0x374B, 0x100, 1, 2, 3, 1};
    return 0;
}

int libusb_open(void *device, void **handle) {
    *handle = device;
    return fails("access") ? ERROR_ACCESS : 0;
}

void libusb_close(void *handle) {
    (void)handle;
}

void *libusb_get_device(void *handle) {
    return handle;
}

int libusb_get_string_descriptor_ascii(void *handle, uint8_t index, unsigned char *data, int length) {
    (void)handle;
    static const char *const strings[] = {"", "STMicroelectronics", "STM32 STLink", "066BFF303435554157"};
    strncpy((char *)data, strings[index < 4 ? index : 0], (size_t)length);
    return (int)strlen((char *)data);
}

int libusb_claim_interface(void *handle, int number) {
    (void)handle, (void)number;
    return fails("busy") ? ERROR_BUSY : 0;
}

int libusb_release_interface(void *handle, int number) {
    (void)handle, (void)number;
    return 0;
}

int libusb_set_auto_detach_kernel_driver(void *handle, int enable) {
    (void)handle, (void)enable;
    return 0;
}

int libusb_detach_kernel_driver(void *handle, int number) {
    (void)handle, (void)number;
    return 0;
}

int libusb_get_configuration(void *handle, int *number) {
    (void)handle;
    *number = 1;
    return 0;
}

int libusb_set_configuration(void *handle, int number) {
    (void)handle, (void)number;
    return 0;
}

int libusb_reset_device(void *handle) {
    (void)handle;
    return 0;
}

int libusb_get_config_descriptor(void *device, uint8_t index, void **out) {
    (void)device, (void)index;
    *out = &config;
    return 0;
}

void libusb_free_config_descriptor(void *unused) {
    (void)unused;
}

int libusb_bulk_transfer(void *handle, unsigned char endpoint, unsigned char *data, int length, int *moved,
                         unsigned int timeout) {
    (void)handle, (void)endpoint, (void)data, (void)length, (void)timeout;
    *moved = 0;
    return ERROR_NO_DEVICE;
}

void *libusb_alloc_transfer(int packets) {
    (void)packets;
    return calloc(1, 256); /* larger than libusb's struct, whose fields OpenOCD fills in itself */
}

void libusb_free_transfer(void *transfer) {
    free(transfer);
}

int libusb_submit_transfer(void *transfer) {
    (void)transfer;
    return ERROR_NO_DEVICE;
}

int libusb_cancel_transfer(void *transfer) {
    (void)transfer;
    return ERROR_NO_DEVICE;
}
