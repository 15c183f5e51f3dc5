package org.descant.database;

import java.nio.file.Path;
import java.util.Scanner;

/**
 * A process of its own that opens a home and does what it is told, one line at a time: {@code write
 * N}, {@code loop N} (writes for ever, printing what is committed), {@code count}, {@code begin N}
 * (and leaves it uncommitted), {@code close}.
 */
public final class DatabaseProcess {
  private DatabaseProcess() {}

  public static void main(String[] arguments) {
    try {
      Database database = Database.open(Path.of(arguments[0]), null);
      System.out.println("open");
      try (Scanner commands = new Scanner(System.in)) {
        while (commands.hasNextLine()) {
          String[] command = commands.nextLine().split(" ");
          switch (command[0]) {
            case "write" -> {
              database
                  .jdbi()
                  .useHandle(handle -> {
                    handle.execute("create table if not exists note (n integer)");
                    handle.execute("insert into note values (?)", Integer.valueOf(command[1]));
                  });
              System.out.println("written");
            }
            case "begin" -> {
              var handle = database.jdbi().open();
              handle.begin();
              handle.execute("insert into note values (?)", Integer.valueOf(command[1]));
              System.out.println("begun");
            }
            case "loop" -> {
              for (int n = Integer.parseInt(command[1]); ; n++) {
                int next = n;
                database
                    .jdbi()
                    .useHandle(handle -> handle.execute("insert into note values (?)", next));
                System.out.println(next);
              }
            }
            case "count" -> System.out.println(Sql.count(database, "select count(*) from note"));
            case "close" -> {
              database.close();
              System.out.println("closed");
            }
            default -> throw new IllegalArgumentException(command[0]);
          }
        }
      }
    } catch (DatabaseException e) {
      System.out.println("refused: " + e.getMessage());
      System.exit(2);
    }
  }
}
