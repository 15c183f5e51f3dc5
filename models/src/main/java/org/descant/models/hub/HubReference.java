package org.descant.models.hub;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.models.ModelException;

/**
 * A model on a hub: {@code hf:<org>/<name>[@revision]}.
 *
 * @param revision a branch, a tag or a commit; {@value #MAIN} when none is said
 */
public record HubReference(String org, String name, String revision) {
  /** The branch that a hub serves when nobody asks for another. */
  public static final String MAIN = "main";

  private static final int PART_CHARS_MAX = 96;
  private static final int REVISION_CHARS_MAX = 250;
  private static final Pattern REFERENCE = Pattern.compile("hf:([^/@]+)/([^/@]+)(?:@(.+))?");
  private static final Pattern PART = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]*");
  private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._/+-]*");

  public HubReference {
    requirePart(org);
    requirePart(name);
    if (!REVISION.matcher(revision).matches()
        || revision.length() > REVISION_CHARS_MAX
        || revision.contains("..")
        || revision.contains("//")) {
      throw new ModelException(
          "'"
              + Text.shown(revision)
              + "' is not a revision; name a branch, a tag or a commit after the @.");
    }
  }

  private static void requirePart(String part) {
    // Two hyphens would make the folder name org--name ambiguous; hubs do not allow them either.
    if (!PART.matcher(part).matches()
        || part.length() > PART_CHARS_MAX
        || part.contains("--")
        || part.contains("..")) {
      throw new ModelException(
          "'" + Text.shown(part) + "' is not the name of a model or its owner on a hub.");
    }
  }

  /**
   * Reads what a person typed.
   *
   * @throws ModelException when it has another form
   */
  public static HubReference parse(String text) {
    Matcher parts = REFERENCE.matcher(text);
    if (!parts.matches()) {
      throw new ModelException(
          "'"
              + Text.shown(text)
              + "' does not name a model on a hub; write hf:<org>/<name> or"
              + " hf:<org>/<name>@<revision>.");
    }
    String revision = parts.group(3);
    return new HubReference(parts.group(1), parts.group(2), revision == null ? MAIN : revision);
  }

  /** {@code org/name}. */
  public String repo() {
    return org + "/" + name;
  }

  /** {@code org--name}: one folder name, and no two models have the same. */
  String folderName() {
    return org + "--" + name;
  }

  @Override
  public String toString() {
    return "hf:" + repo() + (revision.equals(MAIN) ? "" : "@" + revision);
  }
}
