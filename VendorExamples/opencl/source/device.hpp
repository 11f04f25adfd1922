// SPDX-License-Identifier: Apache-2.0
//
// What the handles of the header are here.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <string>

#include "failure.hpp"
#include "handles.hpp"
#include "hardware.hpp"
#include "programs.hpp"

// An OpenCL device that a started plugin uses: one context for all its openings, so that programs are built once.
struct SharedDevice {
    const Hardware &hardware;
    Context context;
    Programs programs;
    std::atomic<uint64_t> used{0};

    SharedDevice(const Hardware &hardware, Context context, const std::string &cache_folder)
        : hardware(hardware), context(std::move(context)), programs(hardware, this->context.get(), cache_folder) {}
};

struct sb_instance {
    const sb_host *host;
    std::string cache_folder;
    std::mutex lock;
    std::deque<std::unique_ptr<SharedDevice>> devices; // by number; NULL until first opened

    SharedDevice &device(uint32_t index);
};

struct sb_buffer {
    Memory memory;
    uint64_t bytes;
};

// An in-order queue. A kernel that meets a bad index writes a fault into `fault`; kernels look there first and leave their work undone after one.
struct sb_stream {
    explicit sb_stream(sb_device &device);

    sb_device &device;
    Queue queue;
    Queue clock;              // takes the times of marks: a queue that keeps times of its own makes every launch dearer
    Memory fault;             // Fault
    std::mutex lock;          // for the device's own stream, which any thread uses
    bool is_doubtful = false; // kernels that may fail were given since the last synchronization
    bool is_poisoned = false; // one of them is known to have failed
    bool has_work = false;    // work was given after `mark`
    Event mark;               // the last marker
    Event verdict;            // of the last reading of `fault`
    struct Fault {
        cl_uint code, correlation_low, correlation_high, reserved;
    } reading{};

    // Called before work is given; false if it is to be skipped.
    bool accepts_work();
    // Called after a kernel that may fail was given.
    void ask_for_verdict();
    // Waits for all work. Throws what failed.
    void finish();
};

struct sb_event {
    std::mutex lock;
    Event mark; // empty: never recorded
    Event time; // on the clock of the stream, right after the mark
};

struct sb_device {
    sb_device(sb_instance &instance, SharedDevice &shared) : instance(instance), shared(shared), direct(*this) {}

    sb_instance &instance;
    SharedDevice &shared;
    std::atomic<uint64_t> used{0};
    sb_stream direct; // for calls without a stream
};

extern const sb_driver driver_table;
extern const sb_streams streams_table;
extern const sb_events events_table;
extern const sb_operators &operators_table();
