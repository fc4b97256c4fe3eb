/* SPDX-License-Identifier: MIT */
/*
 * Prints sizes, offsets and values of everything public, for tests/style/abi.sh. A field left
 * out here shows as a hole before the next one, or before the structure's end.
 */
#include <stddef.h>
#include <stdio.h>

#include <xsc/doorbell.h>
#include <xsc/event.h>
#include <xsc/idle.h>
#include <xsc/nap.h>
#include <xsc/lock.h>
#include <xsc/park.h>
#include <xsc/probe.h>
#include <xsc/shard.h>
#include <xsc/stats.h>
#include <xsc/wait.h>

static size_t end; /* of the field before */

static void hole(size_t offset)
{
    if (offset != end) {
        printf("    hole of %zu\n", offset - end);
    }
}

#define STRUCT(s)                                                                                  \
    end = 0;                                                                                       \
    printf("struct %s size %zu align %zu\n", #s, sizeof(struct s), _Alignof(struct s))
#define FIELD(s, f)                                                                                \
    hole(offsetof(struct s, f));                                                                   \
    printf("    %-20s offset %zu size %zu\n", #f, offsetof(struct s, f),                           \
           sizeof(((struct s *)NULL)->f));                                                         \
    end = offsetof(struct s, f) + sizeof(((struct s *)NULL)->f)
#define END(s) hole(sizeof(struct s))

#define ENUM(e) printf("enum %s\n", #e)
#define VALUE(v) printf("    %-20s %llu\n", #v, (unsigned long long)(v))

static void watch_h(void)
{
    ENUM(xsc_until);
    VALUE(XSC_UNTIL_NOT);
    VALUE(XSC_UNTIL_EQUAL);
    VALUE(XSC_UNTIL_REACHED);
    STRUCT(xsc_watch);
    FIELD(xsc_watch, word);
    FIELD(xsc_watch, value);
    FIELD(xsc_watch, mask);
    FIELD(xsc_watch, size);
    FIELD(xsc_watch, until);
    END(xsc_watch);
}

static void lock_h(void)
{
    ENUM(xsc_lock_step);
    VALUE(XSC_LOCK_WANTED);
    VALUE(XSC_LOCK_TAKEN);
    VALUE(XSC_LOCK_GIVEN);
    VALUE(XSC_LOCK_DESTROYED);
    STRUCT(xsc_ticket);
    FIELD(xsc_ticket, word);
    END(xsc_ticket);
    VALUE(XSC_TICKET_NEXT);
    VALUE(XSC_TICKET_OWNER);
    STRUCT(xsc_queue_node);
    FIELD(xsc_queue_node, next);
    FIELD(xsc_queue_node, turn);
    STRUCT(xsc_queue);
    FIELD(xsc_queue, word);
    END(xsc_queue);
    VALUE(XSC_QUEUE_HELD);
    VALUE(XSC_QUEUE_HELD_BYTE);
    STRUCT(xsc_mutex);
    FIELD(xsc_mutex, word);
    END(xsc_mutex);
    VALUE(XSC_MUTEX_HELD);
    VALUE(XSC_MUTEX_PARKED);
    VALUE(XSC_MUTEX_RESERVED);
    VALUE(XSC_MUTEX_HELD_BYTE);
}

static void wait_h(void)
{
    VALUE(XSC_FOREVER);
    STRUCT(xsc_config);
    FIELD(xsc_config, size);
    FIELD(xsc_config, mechanism);
    END(xsc_config);
}

static void park_h(void)
{
    ENUM(xsc_park_barrier);
    VALUE(XSC_PARK_AUTO);
    VALUE(XSC_PARK_SEQ_CST);
    VALUE(XSC_PARK_ASYMMETRIC);
    VALUE(XSC_PARK_BUCKETS);
    VALUE(XSC_PARK_FENCED);
    VALUE(sizeof(xsc_parked));
    STRUCT(xsc_site);
    FIELD(xsc_site, own);
    END(xsc_site);
}

static void event_h(void)
{
    VALUE(XSC_EVENT_FENCED);
    VALUE(XSC_EVENT_PARKED);
    VALUE(XSC_EVENT_SECOND);
    VALUE(XSC_EVENT_WAITER);
    STRUCT(xsc_event);
    FIELD(xsc_event, seq);
    FIELD(xsc_event, waiters);
    END(xsc_event);
    STRUCT(xsc_event_wake);
    FIELD(xsc_event_wake, at);
    FIELD(xsc_event_wake, count);
    FIELD(xsc_event_wake, flags);
    END(xsc_event_wake);
}

static void stats_h(void)
{
    ENUM(xsc_mechanism_state);
    VALUE(XSC_CANDIDATE);
    VALUE(XSC_VALIDATING);
    VALUE(XSC_ACTIVE);
    VALUE(XSC_DEGRADED);
    VALUE(XSC_FAILED);
    STRUCT(xsc_stats);
    FIELD(xsc_stats, type);
    FIELD(xsc_stats, primary);
    FIELD(xsc_stats, fallback);
    FIELD(xsc_stats, state);
    FIELD(xsc_stats, asked_refused);
    FIELD(xsc_stats, total_waits);
    FIELD(xsc_stats, successful_waits);
    FIELD(xsc_stats, timeouts);
    FIELD(xsc_stats, spurious_wakes);
    FIELD(xsc_stats, late_wakes);
    FIELD(xsc_stats, deep_sleeps);
    FIELD(xsc_stats, shallow_spins);
    FIELD(xsc_stats, uncounted_waits);
    FIELD(xsc_stats, min_latency_ns);
    FIELD(xsc_stats, max_latency_ns);
    FIELD(xsc_stats, avg_latency_ns);
    FIELD(xsc_stats, p50_latency_ns);
    FIELD(xsc_stats, p99_latency_ns);
    FIELD(xsc_stats, success_rate_pct);
    FIELD(xsc_stats, reserved);
    FIELD(xsc_stats, choice_reason);
    FIELD(xsc_stats, fail_reason);
    FIELD(xsc_stats, refusal);
    FIELD(xsc_stats, parks);
    FIELD(xsc_stats, wakes);
    END(xsc_stats);
    STRUCT(xsc_mechanism_info);
    FIELD(xsc_mechanism_info, name);
    FIELD(xsc_mechanism_info, state);
    FIELD(xsc_mechanism_info, present);
    FIELD(xsc_mechanism_info, monitor);
    FIELD(xsc_mechanism_info, reserved);
    FIELD(xsc_mechanism_info, reason);
    END(xsc_mechanism_info);
}

static void probe_h(void)
{
    STRUCT(xsc_quantiles);
    FIELD(xsc_quantiles, n);
    FIELD(xsc_quantiles, p50);
    FIELD(xsc_quantiles, p99);
    FIELD(xsc_quantiles, max);
    END(xsc_quantiles);
    STRUCT(xsc_probe_options);
    FIELD(xsc_probe_options, size);
    FIELD(xsc_probe_options, iterations);
    FIELD(xsc_probe_options, reserved);
    FIELD(xsc_probe_options, timeout_ns);
    FIELD(xsc_probe_options, budget_ns);
    FIELD(xsc_probe_options, waiter_cpu);
    FIELD(xsc_probe_options, storer_cpu);
    FIELD(xsc_probe_options, progress);
    FIELD(xsc_probe_options, progress_arg);
    END(xsc_probe_options);
    ENUM(xsc_probe_verdict);
    VALUE(XSC_PROBE_GOOD);
    VALUE(XSC_PROBE_NO_SLEEP);
    VALUE(XSC_PROBE_UNPROVEN);
    VALUE(XSC_PROBE_SLOW);
    VALUE(XSC_PROBE_BROKEN);
    VALUE(XSC_PROBE_ABSENT);
    STRUCT(xsc_probe_report);
    FIELD(xsc_probe_report, info);
    FIELD(xsc_probe_report, verdict);
    FIELD(xsc_probe_report, fault);
    FIELD(xsc_probe_report, changed);
    FIELD(xsc_probe_report, self_store);
    FIELD(xsc_probe_report, cross_store);
    FIELD(xsc_probe_report, overshoot);
    FIELD(xsc_probe_report, rest);
    FIELD(xsc_probe_report, rest_mean_ns);
    FIELD(xsc_probe_report, os_limit_ns);
    FIELD(xsc_probe_report, missed);
    FIELD(xsc_probe_report, spurious_per_s);
    FIELD(xsc_probe_report, cpu_permille);
    FIELD(xsc_probe_report, sleeps);
    FIELD(xsc_probe_report, reserved);
    FIELD(xsc_probe_report, cross_trouble);
    END(xsc_probe_report);
    STRUCT(xsc_machine);
    FIELD(xsc_machine, arch);
    FIELD(xsc_machine, cpus);
    FIELD(xsc_machine, hypervisor);
    FIELD(xsc_machine, counter_trusted);
    FIELD(xsc_machine, umwait_known);
    FIELD(xsc_machine, umwait_c02);
    FIELD(xsc_machine, umwait_max_ticks);
    FIELD(xsc_machine, ticks_per_s);
    FIELD(xsc_machine, relax_ps);
    FIELD(xsc_machine, tight_looks);
    FIELD(xsc_machine, clock_source);
    FIELD(xsc_machine, umwait_source);
    END(xsc_machine);

    STRUCT(xsc_park_costs);
    FIELD(xsc_park_costs, park_cpu_ns);
    FIELD(xsc_park_costs, park_latency_ns);
    FIELD(xsc_park_costs, nap_cpu_ns);
    FIELD(xsc_park_costs, nap_late_ns);
    FIELD(xsc_park_costs, nap_jitter_ns);
    FIELD(xsc_park_costs, barrier_ns);
    FIELD(xsc_park_costs, latency_weight);
    FIELD(xsc_park_costs, reserved);
    END(xsc_park_costs);
}

static void idle_h(void)
{
    STRUCT(xsc_idle);
    FIELD(xsc_idle, max_sleep_ns);
    FIELD(xsc_idle, ready_ns);
    FIELD(xsc_idle, last_ns);
    FIELD(xsc_idle, waits);
    FIELD(xsc_idle, reserved);
    END(xsc_idle);
}

static void nap_h(void)
{
    STRUCT(xsc_nap_word);
    FIELD(xsc_nap_word, state);
    END(xsc_nap_word);
}

static void shard_h(void)
{
    STRUCT(xsc_shard_ring);
    FIELD(xsc_shard_ring, tail);
    FIELD(xsc_shard_ring, wait);
    FIELD(xsc_shard_ring, wake);
    FIELD(xsc_shard_ring, arg);
    END(xsc_shard_ring);
    STRUCT(xsc_shard_config);
    FIELD(xsc_shard_config, size);
    FIELD(xsc_shard_config, message_size);
    FIELD(xsc_shard_config, capacity);
    FIELD(xsc_shard_config, devices);
    FIELD(xsc_shard_config, reserved);
    FIELD(xsc_shard_config, ring);
    END(xsc_shard_config);
    ENUM(xsc_shard_why);
    VALUE(XSC_SHARD_MESSAGE);
    VALUE(XSC_SHARD_DEVICE);
    VALUE(XSC_SHARD_TIMEOUT);
    VALUE(XSC_SHARD_STOP);
    STRUCT(xsc_shard_stats);
    FIELD(xsc_shard_stats, accepted);
    FIELD(xsc_shard_stats, delivered);
    FIELD(xsc_shard_stats, full);
    FIELD(xsc_shard_stats, parks);
    FIELD(xsc_shard_stats, wakes);
    FIELD(xsc_shard_stats, looks);
    FIELD(xsc_shard_stats, devices);
    END(xsc_shard_stats);
}

static void doorbell_h(void)
{
    ENUM(xsc_bell_state);
    VALUE(XSC_BELL_CLOSED);
    VALUE(XSC_BELL_DISCOVERED);
    VALUE(XSC_BELL_TRIAL);
    VALUE(XSC_BELL_STEADY);
    VALUE(XSC_BELL_FAILED);
    STRUCT(xsc_doorbell);
    FIELD(xsc_doorbell, state);
    FIELD(xsc_doorbell, inside);
    FIELD(xsc_doorbell, fd);
    FIELD(xsc_doorbell, device);
    FIELD(xsc_doorbell, reason);
    FIELD(xsc_doorbell, trial_rings);
    FIELD(xsc_doorbell, trial_lost);
    FIELD(xsc_doorbell, reserved);
    FIELD(xsc_doorbell, min_ns);
    FIELD(xsc_doorbell, max_ns);
    FIELD(xsc_doorbell, begun);
    FIELD(xsc_doorbell, done);
    FIELD(xsc_doorbell, spare);
    END(xsc_doorbell);
    STRUCT(xsc_doorbell_report);
    FIELD(xsc_doorbell_report, state);
    FIELD(xsc_doorbell_report, fd);
    FIELD(xsc_doorbell_report, trial_rings);
    FIELD(xsc_doorbell_report, trial_lost);
    FIELD(xsc_doorbell_report, min_ns);
    FIELD(xsc_doorbell_report, max_ns);
    FIELD(xsc_doorbell_report, rings);
    FIELD(xsc_doorbell_report, reason);
    END(xsc_doorbell_report);
}

int main(void)
{
    watch_h();
    wait_h();
    park_h();
    event_h();
    stats_h();
    probe_h();
    idle_h();
    nap_h();
    lock_h();
    shard_h();
    doorbell_h();
    return 0;
}
