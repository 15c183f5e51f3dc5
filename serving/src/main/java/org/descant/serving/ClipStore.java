package org.descant.serving;

import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import org.descant.database.Database;
import org.descant.ledger.Usage;
import org.descant.serving.Clip.CreditLine;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/** The rows of clips: opened, then delivered or voided. Thread-safe. */
final class ClipStore {
  /** Rows of another version may know more, or less, of a clip. */
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  private final Database database;

  ClipStore(Database database) {
    database.migrate("serving");
    this.database = database;
  }

  static byte[] json(Object value) {
    return JSON.writeValueAsBytes(value);
  }

  void open(
      String id, Usage usage, Order order, String modelId, int door, List<CreditLine> expected) {
    database
        .jdbi()
        .useHandle(handle ->
            handle
                .createUpdate(
                    """
                    insert into serving.clip
                      (id, usage_id, state, asked_at, request, model_id, door, provisional_credits)
                    values
                      (:id, :usage, 'OPEN', :at, :request::jsonb, :model, :door, :credits::jsonb)
                    """)
                .bind("id", id)
                .bind("usage", usage.id())
                .bind("at", usage.at().atOffset(ZoneOffset.UTC))
                .bind("request", JSON.writeValueAsString(order))
                .bind("model", modelId)
                .bind("door", door)
                .bind("credits", JSON.writeValueAsString(expected))
                .execute());
  }

  /** Keeps what the clip will be; durable when this returns. */
  void draft(Clip clip) {
    database
        .jdbi()
        .useHandle(handle ->
            handle
                .createUpdate(
                    "update serving.clip set draft = :draft::jsonb where id = :id and state ="
                        + " 'OPEN'")
                .bind("id", clip.id())
                .bind("draft", JSON.writeValueAsString(clip))
                .execute());
  }

  void delivered(Clip clip) {
    end(clip.id(), "DELIVERED", JSON.writeValueAsString(clip), "");
  }

  void voided(String id, String reason) {
    end(id, "VOIDED", "null", reason);
  }

  private void end(String id, String state, String result, String reason) {
    database
        .jdbi()
        .useHandle(handle ->
            handle
                .createUpdate(
                    """
                    update serving.clip set state = :state, result = :result::jsonb, draft = null,
                      void_reason = :reason
                    where id = :id and state = 'OPEN'
                    """)
                .bind("id", id)
                .bind("state", state)
                .bind("result", result)
                .bind("reason", reason)
                .execute());
  }

  /** A row that is neither delivered nor voided yet, and the door it was opened at. */
  record Unfinished(String id, String usageId, int door, @Nullable Clip draft) {}

  /** What was asked for before this and has no end yet, whoever is at it. */
  List<Unfinished> unfinished(Instant before) {
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery(
                    """
                    select id, usage_id, door, draft::text as draft from serving.clip
                    where state = 'OPEN' and asked_at < :before order by asked_at, id
                    """)
                .bind("before", before.atOffset(ZoneOffset.UTC))
                .map((row, _) -> {
                  String draft = row.getString("draft");
                  return new Unfinished(
                      row.getString("id"),
                      row.getString("usage_id"),
                      row.getInt("door"),
                      draft == null ? null : JSON.readValue(draft, Clip.class));
                })
                .list());
  }

  Optional<Clip> find(String id) {
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery(
                    "select result::text from serving.clip where id = :id and state = 'DELIVERED'")
                .bind("id", id)
                .mapTo(String.class)
                .findOne())
        .map(text -> JSON.readValue(text, Clip.class));
  }

  /** The delivered clip one of whose files has this lower-case hex SHA-256. */
  Optional<Clip> findBySha256(String hash) {
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery(
                    """
                    select result::text from serving.clip where state = 'DELIVERED'
                      and :hash in (result ->> 'wavSha256', result ->> 'flacSha256')
                    order by asked_at limit 1
                    """)
                .bind("hash", hash)
                .mapTo(String.class)
                .findOne())
        .map(text -> JSON.readValue(text, Clip.class));
  }

  List<Clip> newest(int count) {
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery(
                    """
                    select result::text from serving.clip where state = 'DELIVERED'
                    order by asked_at desc limit :count
                    """)
                .bind("count", count)
                .mapTo(String.class)
                .list())
        .stream()
        .map(text -> JSON.readValue(text, Clip.class))
        .toList();
  }
}
