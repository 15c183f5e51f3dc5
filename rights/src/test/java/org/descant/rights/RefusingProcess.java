package org.descant.rights;

import java.nio.file.Path;
import java.util.Scanner;
import org.descant.database.Database;

/** A process of its own that says no, or yes, for a party whenever it is told to. */
public final class RefusingProcess {
  private RefusingProcess() {}

  public static void main(String[] arguments) {
    try (Database database = Database.open(Path.of(arguments[0]));
        Scanner commands = new Scanner(System.in)) {
      Rights rights = Rights.open(database);
      System.out.println("open");
      while (commands.hasNextLine()) {
        boolean allowed = commands.nextLine().equals("yes");
        Use use = Use.valueOf(arguments[2]);
        rights.choose(new Choice(arguments[1], use, Scope.ALL, allowed, Fixture.START));
        System.out.println("chosen");
      }
    }
  }
}
