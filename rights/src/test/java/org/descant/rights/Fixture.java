package org.descant.rights;

import java.time.LocalDate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.descant.database.Database;

/** A small, complete rights graph: one recording, one work, four people and two companies. */
final class Fixture {
  /** One database for the tests of this module that run one after another in one process. */
  private static final Database DATABASE = Database.temporary();

  static final LocalDate DAY = LocalDate.of(2026, 6, 1);
  static final DecisionContext AT = DecisionContext.at(DAY);
  static final LocalDate START = LocalDate.of(2026, 1, 1);
  static final Isrc SONG = Isrc.of("XX-ABC-26-00001");
  static final String WORK = "T0345246801";
  static final String PCM_HASH = "ab".repeat(32);

  static final Party SINGER = new Party("singer", "Ada Lark", true);
  static final Party WRITER = new Party("writer", "Ben Quill", true);
  static final Party LABEL = new Party("label", "Harbour Records", true);
  static final Party PUBLISHER = new Party("publisher", "Inkwell Songs", true);
  static final Party STRANGER = new Party("stranger", "Cy Nobody", true);

  static final Work TUNE =
      new Work(
          WORK,
          "Low Tide",
          List.of(new Contributor("writer", "Composer"), new Contributor("writer", "Lyricist")),
          List.of(Share.publishing("publisher", 7_500), Share.publishing("writer", 2_500)));

  static final Recording RECORDING =
      new Recording(
          SONG,
          "Low Tide (Live)",
          "Ada Lark",
          31.5,
          PCM_HASH,
          List.of(WORK),
          List.of(new Contributor("singer", "MainArtist")),
          List.of(Share.master("label", 10_000)),
          null);

  static final Set<Use> EVERY_USE = EnumSet.allOf(Use.class);

  private Fixture() {}

  static Agreement licence(String id, String licensor, Set<Use> uses) {
    return Agreement.licence(id, licensor, uses, Scope.ALL, START, null);
  }

  /**
   * A database where nothing was ever recorded. Facts are append-only by trigger; a test may look
   * away to begin with nothing.
   */
  static Database nothingRecorded() {
    Rights.open(DATABASE);
    DATABASE
        .jdbi()
        .useTransaction(handle -> {
          List<String> tables =
              handle
                  .createQuery(
                      """
                      select 'rights.' || tablename from pg_tables
                      where schemaname = 'rights' and tablename <> 'migration_history'
                      """)
                  .mapTo(String.class)
                  .list();
          handle.execute("set local session_replication_role = replica");
          handle.execute("truncate " + String.join(", ", tables) + " restart identity cascade");
        });
    return DATABASE;
  }

  static List<Fact> people() {
    return List.of(SINGER, WRITER, LABEL, PUBLISHER, STRANGER);
  }

  static List<Fact> music() {
    return List.of(TUNE, RECORDING);
  }

  static List<Fact> agreements() {
    return List.of(
        licence("A-label", "label", EVERY_USE),
        licence("A-publisher", "publisher", EVERY_USE),
        licence("A-writer", "writer", EVERY_USE));
  }

  static Choice no(String partyId, Use use, Scope scope) {
    return new Choice(partyId, use, scope, false, START);
  }

  static Choice yes(String partyId, Use use, Scope scope) {
    return new Choice(partyId, use, scope, true, START);
  }
}
