/* fields.h - Fields that peer messages and greetings have in common.
 *
 * A text is a u8 length and its bytes, without the zero byte at the end. Texts
 * come from strangers and end up in logs: bytes below a space, and delete, are
 * refused. Bytes from 128 on are taken as they are. */
#ifndef HF_WIRE_FIELDS_H
#define HF_WIRE_FIELDS_H

#include "base/bytes.h"
#include "core/message.h"
#include "core/view.h"

/* Whether @text, of at most @capacity bytes, ends with a zero byte and holds
 * nothing that would garble a log. */
bool hf_field_text_is_sound(const char *text, size_t capacity);

/* Appends @text, of at most 255 bytes. Check out->failed. */
void hf_field_put_text(struct hf_buffer *out, const char *text);

/* Reads a text into the @capacity bytes of @text. False when it is too long,
 * not sound or cut off. */
HF_NODISCARD bool hf_field_read_text(struct hf_reader *reader, char *text,
                                     size_t capacity);

/* Whether a node may introduce itself like this: sound texts, a name, the id
 * that belongs to the name, an incarnation, and ports that can be dialled. */
bool hf_field_info_is_sound(const struct hf_peer_info *info);

/* Appends @info. Check out->failed. */
void hf_field_put_info(struct hf_buffer *out, const struct hf_peer_info *info);

/* Reads what hf_field_put_info wrote; all of @info is set, also the bytes
 * behind its texts. False when it is cut off or not sound. */
HF_NODISCARD bool hf_field_read_info(struct hf_reader *reader,
                                     struct hf_peer_info *info);

/* Appends @view; its acting map takes a count and that many indexes for each
 * partition. Check out->failed. */
void hf_field_put_view(struct hf_buffer *out, const struct hf_view *view);

/* Reads what hf_field_put_view wrote. False when it is cut off, when a member
 * is not sound or there twice, when a count is out of range, when there is no
 * lineage, or when a copy is no member or counted twice. */
HF_NODISCARD bool hf_field_read_view(struct hf_reader *reader,
                                     struct hf_view *view);

/* Appends @heartbeat. Check out->failed. */
void hf_field_put_heartbeat(struct hf_buffer *out,
                            const struct hf_heartbeat *heartbeat);

/* Reads what hf_field_put_heartbeat wrote. False when a number is out of its
 * range; when it is cut off, reader->failed says so. */
HF_NODISCARD bool hf_field_read_heartbeat(struct hf_reader *reader,
                                          struct hf_heartbeat *heartbeat);

#endif
