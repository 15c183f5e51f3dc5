package org.descant.models.hub;

import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.descant.models.ModelException;

/**
 * The address of a hub: scheme, host, port and perhaps a path below which it lives.
 *
 * @param base without a slash at the end
 */
public record HubEndpoint(URI base) {

  public HubEndpoint {
    String scheme = base.getScheme();
    if (scheme == null
        || !(scheme.equalsIgnoreCase("https") || scheme.equalsIgnoreCase("http"))
        || base.getHost() == null
        || base.getRawUserInfo() != null
        || base.getRawQuery() != null
        || base.getRawFragment() != null
        || base.getRawPath().endsWith("/")) {
      throw unfit(base.toString());
    }
  }

  /**
   * Reads what a person configured.
   *
   * @throws ModelException when it is not the address of a server
   */
  public static HubEndpoint parse(String text) {
    String trimmed = text.strip().replaceAll("/+$", "");
    try {
      return new HubEndpoint(URI.create(trimmed));
    } catch (IllegalArgumentException e) {
      throw unfit(trimmed);
    }
  }

  private static ModelException unfit(String text) {
    return new ModelException(
        "'"
            + Text.shown(text)
            + "' is not the address of a hub; give it as https://host, without a query or a"
            + " password.");
  }

  URI listing(HubReference model) {
    return URI.create(
        base
            + "/api/models/"
            + model.repo()
            + "/revision/"
            + encoded(model.revision())
            + "?blobs=true");
  }

  URI file(HubReference model, String commit, String path) {
    String encoded =
        Arrays.stream(path.split("/")).map(HubEndpoint::encoded).collect(Collectors.joining("/"));
    return URI.create(base + "/" + model.repo() + "/resolve/" + commit + "/" + encoded);
  }

  /** Whether an address is of the hub itself: same scheme, host and port. */
  boolean isOrigin(URI address) {
    return address.getHost() != null
        && lower(base.getScheme()).equals(lower(address.getScheme()))
        && lower(base.getHost()).equals(lower(address.getHost()))
        && port(base) == port(address);
  }

  /** Whether nobody on the way can read what is sent: TLS, or this very machine. */
  boolean isPrivate() {
    if (lower(base.getScheme()).equals("https")) {
      return true;
    }
    try {
      return InetAddress.getByName(base.getHost()).isLoopbackAddress();
    } catch (UnknownHostException e) {
      return false;
    }
  }

  private static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  private static int port(URI address) {
    return address.getPort() >= 0
        ? address.getPort()
        : lower(address.getScheme()).equals("https") ? 443 : 80;
  }

  /** Percent-encodes everything but RFC 3986's unreserved characters, a slash too. */
  private static String encoded(String segment) {
    StringBuilder encoded = new StringBuilder();
    for (byte b : segment.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xFF);
      boolean unreserved =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || "-._~".indexOf(c) >= 0;
      encoded.append(unreserved ? String.valueOf(c) : String.format("%%%02X", (int) c));
    }
    return encoded.toString();
  }

  @Override
  public String toString() {
    return base.toString();
  }
}
