package org.descant.storage;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Opens a place for blobs by its address.
 *
 * <pre>
 * file:/srv/blobs                          a local folder
 * s3://bucket/prefix?region=R&amp;endpoint=URL  Amazon S3, or what speaks its protocol
 * gs://bucket/prefix                       Google Cloud Storage
 * az://container/prefix?account=NAME       Azure Blob Storage
 * </pre>
 *
 * Credentials are never in an address. They come from where each cloud's own tools take them:
 * environment variables, profile files, the machine's or the pod's identity.
 */
public final class BlobStores {
  private static final Map<String, Set<String>> PARAMETERS =
      Map.of(
          "s3", Set.of("region", "endpoint"),
          "gs", Set.of("endpoint"),
          "az", Set.of("account", "endpoint"));

  /** What the caller may add to an address, by the names that OpenDAL gives them. */
  private static final Set<String> OPTIONS =
      Set.of(
          "access_key_id",
          "secret_access_key",
          "session_token",
          "allow_anonymous",
          "disable_config_load",
          "disable_ec2_metadata",
          "disable_vm_metadata",
          "credential",
          "token",
          "account_name",
          "account_key",
          "sas_token");

  private BlobStores() {}

  /**
   * Opens a place; nothing is sent yet. The store of an object store must be closed.
   *
   * @param cache where blobs of an object store are kept locally
   * @param cacheBytes how much the cache may hold
   * @throws StorageException when the address is not one of the kinds above
   */
  public static BlobStore open(URI address, Path cache, long cacheBytes) {
    return open(address, cache, cacheBytes, Map.of());
  }

  /**
   * As above, with credentials from the program: {@code access_key_id}, {@code secret_access_key},
   * {@code session_token} and {@code allow_anonymous} for S3, {@code credential}, {@code token} and
   * {@code allow_anonymous} for Google, {@code account_name}, {@code account_key} and {@code
   * sas_token} for Azure.
   */
  public static BlobStore open(
      URI address, Path cache, long cacheBytes, Map<String, String> options) {
    if ("file".equals(address.getScheme())) {
      return new LocalBlobStore(Path.of(address));
    }
    return new BucketBlobStore(bucket(address, options), new BlobCache(cache, cacheBytes));
  }

  /**
   * Opens a bucket for objects by name; nothing is sent yet.
   *
   * @throws StorageException as {@link #open}
   */
  public static Bucket bucket(URI address, Map<String, String> options) {
    String scheme = String.valueOf(address.getScheme());
    Set<String> known = PARAMETERS.get(scheme);
    String name = address.getRawAuthority();
    if (known == null || name == null || name.isEmpty() || name.contains("@")) {
      throw new StorageException(
          "'%s' is no place for blobs; name file:/folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix?account=NAME."
              .formatted(address));
    }
    Map<String, String> parameters = parameters(address, known);
    for (String option : options.keySet()) {
      if (!OPTIONS.contains(option)) {
        throw new StorageException(
            "'%s' is not an option of an object store; known are %s."
                .formatted(option, OPTIONS.stream().sorted().toList()));
      }
    }
    String path = address.getPath() == null ? "" : address.getPath();
    var settings = new HashMap<>(options);
    settings.put("root", path.isEmpty() ? "/" : path);
    String service;
    switch (scheme) {
      case "s3" -> {
        service = "s3";
        settings.put("bucket", name);
        settings.putAll(parameters);
        settings.putIfAbsent("region", regionOfEnvironment());
      }
      case "gs" -> {
        service = "gcs";
        settings.put("bucket", name);
        settings.putAll(parameters);
      }
      default -> {
        service = "azblob";
        settings.put("container", name);
        String account = parameters.getOrDefault("account", settings.get("account_name"));
        if (account == null) {
          throw new StorageException(
              "'%s' does not say whose container it is; add ?account=NAME.".formatted(address));
        }
        settings.put("account_name", account);
        settings.put(
            "endpoint",
            parameters.getOrDefault("endpoint", "https://" + account + ".blob.core.windows.net"));
      }
    }
    return new Bucket("%s://%s%s".formatted(scheme, name, path), service, settings);
  }

  private static String regionOfEnvironment() {
    for (String variable : List.of("AWS_REGION", "AWS_DEFAULT_REGION")) {
      String region = System.getenv(variable);
      if (region != null && !region.isBlank()) {
        return region;
      }
    }
    return "us-east-1";
  }

  private static Map<String, String> parameters(URI address, Set<String> known) {
    var parameters = new HashMap<String, String>();
    String query = address.getRawQuery();
    if (query != null) {
      for (String part : List.of(query.split("&", -1))) {
        int equals = part.indexOf('=');
        String key = equals < 0 ? part : part.substring(0, equals);
        if (equals < 0 || !known.contains(key)) {
          throw new StorageException(
              "'%s' is not a parameter of a %s address; known are %s."
                  .formatted(key, address.getScheme(), known.stream().sorted().toList()));
        }
        parameters.put(key, URLDecoder.decode(part.substring(equals + 1), StandardCharsets.UTF_8));
      }
    }
    return parameters;
  }
}
