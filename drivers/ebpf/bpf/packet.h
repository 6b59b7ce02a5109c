/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From frame to `struct packet`, or to the reason why it is dropped. Lengths are checked against the frame, never believed. */
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "layout.h"

#define ETH_HEADER 14
#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16

enum icmp_kind {
	ICMP_NONE = 0,
	ICMP_REQUEST = 1,
	ICMP_REPLY = 2,
	ICMP_ERROR = 3,
	ICMP_NEIGHBOUR = 4,
	ICMP_GROUP = 5, /* multicast listener discovery */
	ICMP_ROUTING = 6, /* advertisements and redirects of routers */
	ICMP_OTHER = 7,
};

struct packet {
	struct address source;
	struct address destination;
	__u32 packets; /* segments of a large one count each */
	__u32 bytes; /* IP header upwards */
	__u32 seq;
	__u32 ack;
	__u32 payload; /* of TCP, in sequence space */
	__u16 source_port; /* host order; ICMP requests: identifier -> type, replies the other way round */
	__u16 destination_port;
	__u16 l4; /* offset in the frame */
	__u8 proto;
	__u8 hop_limit;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 icmp_kind;
	__u8 has_tuple;
	__u8 to_group; /* destination MAC is multicast or broadcast */
	__u8 sctp_init;
	__u8 source_mac[6];
	__u8 pad;
};

static __always_inline __u16 load16(const __u8 *at)
{
	return (__u16)at[0] << 8 | at[1];
}

static __always_inline __u32 load32(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

static __always_inline void classify_icmp4(struct packet *packet)
{
	switch (packet->icmp_type) {
	case 8: case 13: case 15: case 17: packet->icmp_kind = ICMP_REQUEST; break;
	case 0: case 14: case 16: case 18: packet->icmp_kind = ICMP_REPLY; break;
	case 3: case 4: case 11: case 12: packet->icmp_kind = ICMP_ERROR; break;
	case 5: case 9: packet->icmp_kind = ICMP_ROUTING; break;
	default: packet->icmp_kind = ICMP_OTHER;
	}
}

static __always_inline void classify_icmp6(struct packet *packet)
{
	switch (packet->icmp_type) {
	case 128: packet->icmp_kind = ICMP_REQUEST; break;
	case 129: packet->icmp_kind = ICMP_REPLY; break;
	case 1: case 2: case 3: case 4: packet->icmp_kind = ICMP_ERROR; break;
	case 133: case 135: case 136: packet->icmp_kind = ICMP_NEIGHBOUR; break;
	case 134: case 137: packet->icmp_kind = ICMP_ROUTING; break;
	case 130: case 131: case 132: case 143: packet->icmp_kind = ICMP_GROUP; break;
	default: packet->icmp_kind = ICMP_OTHER;
	}
}

/* Ports of an ICMP query: the asker's identifier against the type, so that two askers with one identifier stay apart. */
static __always_inline void icmp_ports(struct packet *packet, __u16 identifier)
{
	__u8 type = packet->icmp_type;
	if (packet->icmp_kind == ICMP_REQUEST) {
		packet->source_port = identifier;
		packet->destination_port = type;
	} else if (packet->icmp_kind == ICMP_REPLY) {
		/* request type: 0 answers 8; 14, 16, 18 and 129 answer the number before */
		packet->source_port = type == 0 ? 8 : type - 1;
		packet->destination_port = identifier;
	} else {
		packet->source_port = 0;
		packet->destination_port = type;
	}
}

static __always_inline int parse_transport(struct packet *packet, const __u8 *at, const void *end, __u32 length)
{
	switch (packet->proto) {
	case 6: {
		if (at + 20 > (const __u8 *)end || length < 20)
			return REASON_MALFORMED;
		__u32 header = (at[12] >> 4) * 4;
		__u8 flags = at[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
		if (header < 20 || header > length)
			return REASON_MALFORMED;
		/* combinations no TCP sends: none of SYN, RST, ACK; SYN with FIN or RST; FIN without ACK */
		if (!(flags & (TCP_SYN | TCP_RST | TCP_ACK)) || ((flags & TCP_SYN) && (flags & (TCP_FIN | TCP_RST))) ||
		    ((flags & TCP_FIN) && !(flags & TCP_ACK)))
			return REASON_MALFORMED;
		packet->source_port = load16(at);
		packet->destination_port = load16(at + 2);
		packet->seq = load32(at + 4);
		packet->ack = load32(at + 8);
		packet->tcp_flags = flags;
		packet->payload = length - header + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
		break;
	}
	case 17:
		if (at + 8 > (const __u8 *)end || length < 8)
			return REASON_MALFORMED;
		packet->source_port = load16(at);
		packet->destination_port = load16(at + 2);
		break;
	case 132:
		if (at + 16 > (const __u8 *)end || length < 16)
			return REASON_MALFORMED;
		packet->source_port = load16(at);
		packet->destination_port = load16(at + 2);
		packet->sctp_init = at[12] == 1;
		break;
	case 1:
	case 58:
		if (at + 8 > (const __u8 *)end || length < 8)
			return REASON_MALFORMED;
		packet->icmp_type = at[0];
		packet->icmp_code = at[1];
		if (packet->proto == 1)
			classify_icmp4(packet);
		else
			classify_icmp6(packet);
		icmp_ports(packet, load16(at + 4));
		break;
	default:
		packet->source_port = packet->destination_port = 0;
	}
	packet->has_tuple = 1;
	return 0;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *packet, const __u8 *ip, const void *end)
{
	if (ip + 20 > (const __u8 *)end || (ip[0] >> 4) != 4 || (ip[0] & 15) < 5)
		return REASON_MALFORMED;
	packet->source.word[2] = packet->destination.word[2] = bpf_htonl(0xffff);
	packet->source.word[3] = *(const __u32 *)(ip + 12);
	packet->destination.word[3] = *(const __u32 *)(ip + 16);
	packet->proto = ip[9];
	packet->hop_limit = ip[8];
	packet->has_tuple = 1;
	if ((ip[0] & 15) > 5)
		return REASON_IP_OPTIONS;
	if (load16(ip + 6) & 0x3fff)
		return REASON_FRAGMENT;
	__u32 length = load16(ip + 2);
	/* a segmented frame beyond 64 KiB has length 0 (BIG TCP) */
	if (length == 0 && skb->gso_size)
		length = skb->len - ETH_HEADER;
	if (length < 20 || length > skb->len - ETH_HEADER)
		return REASON_MALFORMED;
	packet->l4 = ETH_HEADER + 20;
	packet->bytes = length;
	/* ICMPv6 belongs to IPv6 alone, and the other way round */
	if (packet->proto == 58)
		return REASON_MALFORMED;
	return parse_transport(packet, ip + 20, end, length - 20);
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *packet, const __u8 *ip, const void *end)
{
	if (ip + 40 > (const __u8 *)end || (ip[0] >> 4) != 6)
		return REASON_MALFORMED;
	__builtin_memcpy(&packet->source, ip + 8, 16);
	__builtin_memcpy(&packet->destination, ip + 24, 16);
	packet->proto = ip[6];
	packet->hop_limit = ip[7];
	packet->has_tuple = 1;
	/* an address of the other family in disguise never meets the IPv4 tables */
	if (packet->source.word[0] == 0 && packet->source.word[1] == 0 && packet->source.word[2] == bpf_htonl(0xffff))
		return REASON_MALFORMED;
	if (packet->destination.word[0] == 0 && packet->destination.word[1] == 0 &&
	    packet->destination.word[2] == bpf_htonl(0xffff))
		return REASON_MALFORMED;
	__u32 length = load16(ip + 4);
	if (length == 0 && skb->gso_size)
		length = skb->len - ETH_HEADER - 40;
	if (length > skb->len - ETH_HEADER - 40)
		return REASON_MALFORMED;
	packet->l4 = ETH_HEADER + 40;
	packet->bytes = length + 40;
	switch (packet->proto) {
	case 0: /* hop-by-hop: only the router alert of multicast listener discovery */
		if (ip + 56 > (const __u8 *)end || length < 16)
			return REASON_MALFORMED;
		if (ip[40] != 58 || ip[41] != 0)
			return REASON_EXTENSION_HEADER;
		packet->proto = 58;
		packet->l4 += 8;
		packet->icmp_type = ip[48];
		classify_icmp6(packet);
		packet->destination_port = packet->icmp_type;
		return packet->icmp_kind == ICMP_GROUP ? 0 : REASON_EXTENSION_HEADER;
	case 44:
		return REASON_FRAGMENT;
	case 43: case 51: case 60: case 135: case 139: case 140: case 253: case 254:
		return REASON_EXTENSION_HEADER;
	case 1:
		return REASON_MALFORMED;
	}
	return parse_transport(packet, ip + 40, end, length);
}

/* Makes the headers directly readable; what a short frame lacks is found by the parsers' bounds. */
static __always_inline void pull_headers(struct __sk_buff *skb)
{
	__u32 want = skb->len < 94 ? skb->len : 94;
	if (skb->data_end - skb->data < want)
		bpf_skb_pull_data(skb, want);
}
