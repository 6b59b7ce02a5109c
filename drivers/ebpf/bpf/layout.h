/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Every structure and number that the programs and the driver share. render.ts and decode.ts write and read the same bytes:
 * layout.test.ts compares sizes, offsets and numbers with those the compiler put into the object's BTF.
 */
#pragma once
#include <linux/types.h>

/* Numbers of core/model/drop-reason.ts. */
enum drop_reason {
	REASON_POLICY = 0,
	REASON_NO_PLAN = 1,
	REASON_MALFORMED = 2,
	REASON_SOURCE_MAC = 3,
	REASON_SOURCE_ADDRESS = 4,
	REASON_ARP_SOURCE = 5,
	REASON_ND_SOURCE = 6,
	REASON_VLAN_TAG = 7,
	REASON_NON_IP = 8,
	REASON_FRAGMENT = 9,
	REASON_IP_OPTIONS = 10,
	REASON_EXTENSION_HEADER = 11,
	REASON_NO_CONNECTION = 12,
	REASON_NOT_FOR_ENDPOINT = 13,
	REASON_ROUTER_ADVERT = 14,
	REASON_DHCP_SERVER = 15,
	REASON_CONNTRACK_FULL = 16,
	REASON_ICMP_ERROR = 17,
	REASON_REVOKED = 18,
	REASON_NO_GATEWAY = 19,
	REASON_COUNT = 32,
};

enum action { ACTION_ALLOW = 1, ACTION_DROP = 2, ACTION_REJECT = 3, ACTION_ALLOW_STATELESS = 4, ACTION_INSPECT = 5 };
enum direction { INGRESS = 0, EGRESS = 1 };
/* Sides of a connection: who sent its first packet (judged by `egress`), and who received it (judged by `ingress`). */
enum side { ORIGINATOR = 0, RESPONDER = 1 };
enum event_kind { EVENT_DROP = 1, EVENT_FLOW_START = 2, EVENT_FLOW_END = 3, EVENT_MONITOR = 4 };
enum flow_end { END_CLOSED = 1, END_RESET = 2, END_TIMEOUT = 3, END_REVOKED = 4 };
enum conn_state {
	STATE_SYN_SENT = 1,
	STATE_SYN_RECV = 2,
	STATE_ESTABLISHED = 3,
	STATE_FIN_WAIT = 4,
	STATE_TIME_WAIT = 5,
	STATE_CLOSE = 6,
	STATE_UNREPLIED = 7, /* of a protocol without states */
	STATE_REPLIED = 8,
};

#define ENDPOINT_CLOSED 1u /* guarded, but without a plan: nothing passes */
#define VERDICT_LOG 1u
#define VERDICT_MONITOR 2u /* `monitor` names a rule */
#define VERDICT_MONITOR_LOG 4u

/* One word, so that a reader never sees half of a change: epoch << 1 | slot. Its other members never change while loaded. */
struct control {
	__u64 generation;
	__u32 mark; /* random: what our own programs hand to each other; 0 = not yet set, nothing is handed over */
	__u32 tick_ns; /* 1 / CONFIG_HZ */
};

struct endpoint {
	__u8 mac[6];
	__u16 zone;
	__u32 index; /* into drops and budgets */
	__u32 segment; /* ifindex of the bridge; 0 = none */
	__u32 flags;
};

struct address {
	__u32 word[4]; /* network order; IPv4 as ::ffff:a.b.c.d */
};

struct address_value {
	__u32 identity;
	__u32 ifindex; /* of the local tap that owns it; 0 = elsewhere */
};

struct network4 {
	__u32 length;
	__u32 word;
};

struct network6 {
	__u32 length;
	struct address address;
};

struct services {
	__u32 default_rule;
	__u32 default_flags;
	__u32 default_rate;
	__u16 proto[256];
	__u16 icmp[256];
	__u16 icmpv6[256];
	__u16 tcp[65536];
	__u16 udp[65536];
	__u16 sctp[65536];
};

struct verdict_key {
	__u32 local;
	__u32 peer;
	__u16 class;
	__u8 direction;
	__u8 pad;
};

struct verdict_value {
	__u32 rule; /* index into counters */
	__u32 monitor; /* the same, of the first rule in monitor mode that would have decided */
	__u32 rate; /* connections of the rule told a second and host; 0 = the budgets' bound alone */
	__u32 monitor_rate;
	__u8 action;
	__u8 flags;
	__u8 monitor_action; /* what it would have done */
	__u8 pad;
};

/* Both directions have one key: `a` is the end whose (address, port) compares lower. */
struct conn_key {
	struct address a;
	struct address b;
	__u16 port_a; /* host order */
	__u16 port_b;
	__u16 zone;
	__u8 proto;
	__u8 pad;
};

#define CONN_ORIGINATOR_IS_A 1u
#define CONN_TOLD 2u /* its end was told already */
#define CONN_FIN_ORIGINATOR 4u
#define CONN_FIN_RESPONDER 8u
#define CONN_LOG 16u
/* shifted by the side: its start was beyond its rule's rate, so its end is not told either */
#define CONN_QUIET 32u
/* shifted by the side: admitted as if the other side had sent the first packet */
#define CONN_TURNED 128u
/* shifted by the side: its rule inspects */
#define CONN_INSPECT 512u

/* Arrays of two are indexed by side. A direction is the side that sends. */
struct conn {
	__u64 last_ns; /* clock.h */
	__u64 packets[2];
	__u64 bytes[2];
	__u32 end[2]; /* TCP: highest sequence number sent, plus one */
	__u32 ack[2]; /* TCP: highest acknowledgement sent */
	__u32 tap[2]; /* ifindex of the side's tap, when it is on this host and proved to own the address */
	__u32 endpoint[2];
	__u32 rule[2];
	__u32 epoch[2]; /* when the side was last found admitted; 0 = never */
	__u32 looked[2]; /* by sender: epoch at which the other side's tap was looked up */
	__u8 state;
	__u8 pad;
	__u16 flags;
	__u32 gateway; /* that it goes through; 0 = none yet */
};

struct counter {
	__u64 packets;
	__u64 bytes;
	__u64 hits;
};

struct drop_counters {
	__u64 packets[REASON_COUNT];
};

/* Per endpoint: what it may still tell in this window, and when it last asked for an address. */
struct budget {
	__u64 window_ns;
	__u64 dhcp4_ns;
	__u64 dhcp6_ns;
	__u32 told;
	__u32 told_logged;
	__u32 answers;
	__u32 suppressed_drops;
	__u32 suppressed_flows;
	__u32 told_flows;
	__u32 told_monitored;
	__u32 suppressed_monitored;
};

/* Per rule with a log rate: what it told in this window. */
struct rate_budget {
	__u64 window_ns;
	__u32 told;
	__u32 suppressed;
};

struct event {
	__u64 at_ns;
	__u64 packets;
	__u64 bytes;
	struct address source;
	struct address destination;
	__u32 endpoint;
	__u32 rule;
	__u32 suppressed;
	__u16 source_port;
	__u16 destination_port;
	__u8 kind;
	__u8 direction;
	__u8 reason;
	__u8 action; /* of a drop; what a rule in monitor mode would have done; of a flow's end: enum flow_end */
	__u8 proto;
	__u8 has_tuple;
	__u8 source_mac[6];
};

/* 0 is none */
#define GATEWAY_COUNT 64
#define PROBE_TYPE 0x88b5 /* of frames that only see whether they come through: IEEE 802, local experimental */
#define STEERING_FAIL_OPEN 1u

/* For one rule: bit n = gateway n serves it. */
struct steering {
	__u64 members;
	__u32 flags;
	__u32 pad;
};

struct gateway {
	__u32 ifindex[2]; /* inside, outside */
};

struct gateway_state {
	__u64 up;
	__u64 draining; /* takes no new connections */
};

struct gateway_counter {
	__u64 packets; /* into it */
	__u64 bytes;
	__u64 returned; /* out of it, and on */
	__u64 refused; /* out of it, and of no connection that goes through it */
};

struct gateway_seen {
	__u64 probe[2]; /* number of the last one, by the side it went in */
};

struct gateway_name {
	char name[64];
};

struct rule_name {
	char ref[768]; /* UTF-8, ends with NUL */
};

struct endpoint_name {
	char id[64];
};

/* What the syscall programs are called with. */
struct carry_args {
	struct conn_key key;
	struct conn conn;
	__u32 side; /* of the endpoint that comes */
	__u32 pad;
};

struct set_control_args {
	__u64 generation;
	__u32 mark;
	__u32 tick_ns;
};

struct collect_args {
	__u64 ended;
};
