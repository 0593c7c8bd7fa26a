#include "core/message.h"

const char *hf_message_name(enum hf_message_type type)
{
    switch (type) {
    case HF_MESSAGE_HEARTBEAT:
        return "heartbeat";
    case HF_MESSAGE_PREPARE:
        return "prepare";
    case HF_MESSAGE_PROMISE:
        return "promise";
    case HF_MESSAGE_ACCEPT:
        return "accept";
    case HF_MESSAGE_ACCEPTED:
        return "accepted";
    case HF_MESSAGE_VIEW:
        return "view";
    case HF_MESSAGE_NOMINATE:
        return "nominate";
    case HF_MESSAGE_FORWARD:
        return "forward";
    case HF_MESSAGE_RESULT:
        return "result";
    case HF_MESSAGE_BOUNCE:
        return "bounce";
    case HF_MESSAGE_RECORD:
        return "record";
    case HF_MESSAGE_ACK:
        return "ack";
    case HF_MESSAGE_COMMITTED:
        return "committed";
    case HF_MESSAGE_POSITIONS:
        return "positions";
    case HF_MESSAGE_PULL:
        return "pull";
    case HF_MESSAGE_SUFFIX:
        return "suffix";
    case HF_MESSAGE_MERGE:
        return "merge";
    case HF_MESSAGE_MERGED:
        return "merged";
    case HF_MESSAGE_TELL:
        return "tell";
    case HF_MESSAGE_TOLD:
        return "told";
    }
    return "unknown";
}

enum hf_channel hf_message_channel(enum hf_message_type type)
{
    return type < HF_MESSAGE_FORWARD ? HF_CHANNEL_CONTROL : HF_CHANNEL_DATA;
}
