/* A Vulkan layer that makes a sound device fail; see README.md. Knobs are variables of
 * the environment. For programs with one instance and one device. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define EXPORT __attribute__((visibility("default")))

/* What comes next in the chain: other layers, the driver. */
static VkInstance instance;
static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static PFN_vkGetPhysicalDeviceProperties next_properties;
static PFN_vkGetPhysicalDeviceProperties2 next_properties2;
static PFN_vkCmdDispatch next_dispatch;
static PFN_vkQueueSubmit next_submit;
static PFN_vkAllocateMemory next_allocate;
static PFN_vkCreateBuffer next_create_buffer;
static PFN_vkWaitSemaphores next_wait_semaphores;
static PFN_vkWaitForFences next_wait_fences;

/* How many there were so far. */
static atomic_long dispatches, submissions, allocations, waits;
static atomic_int lost;

static long knob(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

/* Whether number `count` is one of those that `name` lets fail: it and all after it. */
static int fails_from(const char *name, long count) {
    long from = knob(name);
    return from && count >= from;
}

__attribute__((destructor)) static void write_counts(void) {
    const char *path = getenv("FAULTS_COUNTS");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "%ld dispatches, %ld submissions, %ld allocations, %ld waits\n", dispatches,
            submissions, allocations, waits);
    fclose(file);
}

static VKAPI_ATTR void VKAPI_CALL dispatch(VkCommandBuffer commands, uint32_t x, uint32_t y,
                                           uint32_t z) {
    long count = ++dispatches - knob("FAULTS_SPARE");
    long every = knob("FAULTS_DROP_EVERY");
    if (every && count > 0 && count % every == 0)
        return;
    /* One workgroup of a row less. */
    if (count > 0 && knob("FAULTS_SHORTEN") && x > 1)
        x--;
    next_dispatch(commands, x, y, z);
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count,
                                             const VkSubmitInfo *infos, VkFence fence) {
    if (fails_from("FAULTS_LOST_AT_SUBMISSION", ++submissions))
        lost = 1;
    return lost ? VK_ERROR_DEVICE_LOST : next_submit(queue, count, infos, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *callbacks,
                                               VkDeviceMemory *memory) {
    if (fails_from("FAULTS_NO_MEMORY_AT", ++allocations))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return next_allocate(device, info, callbacks, memory);
}

/* Drivers may run out of memory here too; most programs take few, large allocations. */
static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks,
                                                    VkBuffer *buffer) {
    if (fails_from("FAULTS_NO_MEMORY_AT", ++allocations))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return next_create_buffer(device, info, callbacks, buffer);
}

static int lost_while_waiting(void) {
    if (fails_from("FAULTS_LOST_AT_WAIT", ++waits))
        lost = 1;
    return lost;
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_semaphores(VkDevice device,
                                                      const VkSemaphoreWaitInfo *info,
                                                      uint64_t timeout) {
    return lost_while_waiting() ? VK_ERROR_DEVICE_LOST
                                : next_wait_semaphores(device, info, timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_fences(VkDevice device, uint32_t count,
                                                  const VkFence *fences, VkBool32 all,
                                                  uint64_t timeout) {
    return lost_while_waiting() ? VK_ERROR_DEVICE_LOST
                                : next_wait_fences(device, count, fences, all, timeout);
}

static void change(VkPhysicalDeviceProperties *properties) {
    VkPhysicalDeviceLimits *limits = &properties->limits;
    long value;
    if (knob("FAULTS_DISCRETE")) {
        properties->deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
        properties->vendorID = 0x10de;
        strcpy(properties->deviceName, "Faulty GPU");
    }
    if ((value = knob("FAULTS_STORAGE_BUFFERS")))
        limits->maxPerStageDescriptorStorageBuffers = value;
    if ((value = knob("FAULTS_BINDING_BYTES")))
        limits->maxStorageBufferRange = value;
    if ((value = knob("FAULTS_WORKGROUP_BYTES")))
        limits->maxComputeSharedMemorySize = value;
    if ((value = knob("FAULTS_WORKGROUP_THREADS"))) {
        limits->maxComputeWorkGroupInvocations = value;
        limits->maxComputeWorkGroupSize[0] = value;
    }
}

static VKAPI_ATTR void VKAPI_CALL properties(VkPhysicalDevice device,
                                             VkPhysicalDeviceProperties *out) {
    next_properties(device, out);
    change(out);
}

static VKAPI_ATTR void VKAPI_CALL properties2(VkPhysicalDevice device,
                                              VkPhysicalDeviceProperties2 *out) {
    next_properties2(device, out);
    change(&out->properties);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks,
                                                      VkInstance *out) {
    VkLayerInstanceCreateInfo *link = (void *)info->pNext;
    while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO &&
                     link->function == VK_LAYER_LINK_INFO))
        link = (void *)link->pNext;
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;
    next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (void *)next_instance(NULL, "vkCreateInstance");
    VkResult result = create(info, callbacks, out);
    if (result != VK_SUCCESS)
        return result;
    instance = *out;
    next_properties = (void *)next_instance(instance, "vkGetPhysicalDeviceProperties");
    next_properties2 = (void *)next_instance(instance, "vkGetPhysicalDeviceProperties2");
    if (!next_properties2)
        next_properties2 = (void *)next_instance(instance, "vkGetPhysicalDeviceProperties2KHR");
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks,
                                                    VkDevice *out) {
    VkLayerDeviceCreateInfo *link = (void *)info->pNext;
    while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO &&
                     link->function == VK_LAYER_LINK_INFO))
        link = (void *)link->pNext;
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (void *)next(instance, "vkCreateDevice");
    VkResult result = create(physical, info, callbacks, out);
    if (result != VK_SUCCESS)
        return result;
    next_dispatch = (void *)next_device(*out, "vkCmdDispatch");
    next_submit = (void *)next_device(*out, "vkQueueSubmit");
    next_allocate = (void *)next_device(*out, "vkAllocateMemory");
    next_create_buffer = (void *)next_device(*out, "vkCreateBuffer");
    next_wait_fences = (void *)next_device(*out, "vkWaitForFences");
    next_wait_semaphores = (void *)next_device(*out, "vkWaitSemaphores");
    if (!next_wait_semaphores)
        next_wait_semaphores = (void *)next_device(*out, "vkWaitSemaphoresKHR");
    return result;
}

#define TAKE(symbol, function)                                                                     \
    if (!strcmp(name, symbol))                                                                     \
    return (PFN_vkVoidFunction)(function)

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL faults_device(VkDevice device, const char *name) {
    TAKE("vkGetDeviceProcAddr", faults_device);
    TAKE("vkCmdDispatch", dispatch);
    TAKE("vkQueueSubmit", submit);
    TAKE("vkAllocateMemory", allocate);
    TAKE("vkCreateBuffer", create_buffer);
    TAKE("vkWaitForFences", wait_fences);
    if (next_wait_semaphores) {
        TAKE("vkWaitSemaphores", wait_semaphores);
        TAKE("vkWaitSemaphoresKHR", wait_semaphores);
    }
    return next_device(device, name);
}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL faults_instance(VkInstance of, const char *name) {
    TAKE("vkGetInstanceProcAddr", faults_instance);
    TAKE("vkGetDeviceProcAddr", faults_device);
    TAKE("vkCreateInstance", create_instance);
    TAKE("vkCreateDevice", create_device);
    TAKE("vkGetPhysicalDeviceProperties", properties);
    TAKE("vkGetPhysicalDeviceProperties2", properties2);
    TAKE("vkGetPhysicalDeviceProperties2KHR", properties2);
    return next_instance(of, name);
}

EXPORT VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = faults_instance;
    interface->pfnGetDeviceProcAddr = faults_device;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
