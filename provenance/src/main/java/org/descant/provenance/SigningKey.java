package org.descant.provenance;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.signers.ECDSASigner;
import org.bouncycastle.crypto.signers.HMacDSAKCalculator;
import org.bouncycastle.jce.ECNamedCurveTable;
import org.bouncycastle.jce.spec.ECNamedCurveParameterSpec;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;
import org.bouncycastle.util.io.pem.PemWriter;

/**
 * The keys of one home: ECDSA P-256 with a certificate for content credentials, Ed25519 for the
 * transparency log. Kept in {@code keys/signing.pem}, readable by its owner only. Immutable and
 * thread-safe.
 *
 * <p>The root certificate's own key is thrown away once it has signed the one leaf: who steals the
 * home's keys can sign clips but cannot make new signers.
 */
public final class SigningKey {
  private static final Duration LIFETIME = Duration.ofDays(3650);
  private static final int CERTIFICATES = 2;

  private final ECPrivateKey credentialKey;
  private final List<X509Certificate> chain;
  private final EdECPrivateKey logKey;
  private final byte[] logPublicKey;

  private SigningKey(
      ECPrivateKey credentialKey,
      List<X509Certificate> chain,
      EdECPrivateKey logKey,
      byte[] logPublicKey) {
    this.credentialKey = credentialKey;
    this.chain = List.copyOf(chain);
    this.logKey = logKey;
    this.logPublicKey = logPublicKey;
  }

  /**
   * The keys of this home, made on first use. Several threads and processes may call it at once:
   * all get the same keys.
   *
   * @throws ProvenanceException if the folder cannot be written or the file is damaged
   */
  public static SigningKey loadOrCreate(Path home) {
    Path file = home.resolve("keys").resolve("signing.pem");
    try {
      if (!Files.exists(file)) {
        SafeFiles.createFolders(SafeFiles.folderOf(file));
        try (var ignored = FolderLock.acquire(file.resolveSibling("lock"))) {
          if (!Files.exists(file)) {
            SafeFiles.writePrivate(file, generate().getBytes(StandardCharsets.US_ASCII));
          }
        }
      }
      return parse(Files.readString(file, StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new ProvenanceException(
          "The signing keys %s cannot be read or made (%s): give the folder to this user."
              .formatted(file, e.getMessage()),
          e);
    } catch (GeneralSecurityException | OperatorCreationException | RuntimeException e) {
      throw new ProvenanceException(
          ("The signing keys %s are damaged (%s): put the file back from a backup, or move it away"
                  + " to start with new keys.")
              .formatted(file, e.getMessage()),
          e);
    }
  }

  /** The certificate that signs credentials. */
  public X509Certificate leaf() {
    return chain.getFirst();
  }

  /** The certificate that a verifier must trust: the end of the chain. */
  public X509Certificate root() {
    return chain.getLast();
  }

  /** The root certificate as PEM text, for other verifiers. */
  public String rootPem() {
    return pem(Map.of("CERTIFICATE", List.of(encoded(root()))));
  }

  /** Leaf first, root last. */
  List<X509Certificate> chain() {
    return chain;
  }

  /** ES256: r and s of 32 bytes each. Deterministic (RFC 6979). */
  byte[] signCredential(byte[] message) {
    ECNamedCurveParameterSpec curve = ECNamedCurveTable.getParameterSpec("P-256");
    var domain = new ECDomainParameters(curve.getCurve(), curve.getG(), curve.getN(), curve.getH());
    var signer = new ECDSASigner(new HMacDSAKCalculator(new SHA256Digest()));
    signer.init(true, new ECPrivateKeyParameters(credentialKey.getS(), domain));
    BigInteger[] pair = signer.generateSignature(Hashes.sha256(message));
    var signature = new byte[64];
    for (int i = 0; i < 2; i++) {
      byte[] number = pair[i].toByteArray();
      int length = Math.min(32, number.length);
      System.arraycopy(number, number.length - length, signature, 32 * (i + 1) - length, length);
    }
    return signature;
  }

  /** Ed25519. */
  byte[] signLog(byte[] message) {
    try {
      Signature signature = Signature.getInstance("Ed25519");
      signature.initSign(logKey);
      signature.update(message);
      return signature.sign();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Ed25519 is part of the JDK", e);
    }
  }

  /** The log's public key: 32 bytes, RFC 8032. */
  byte[] logPublicKey() {
    return logPublicKey.clone();
  }

  private static String generate()
      throws GeneralSecurityException, OperatorCreationException, CertIOException {
    KeyPair root = ecKeyPair();
    KeyPair leaf = ecKeyPair();
    KeyPair log = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();

    var names = new X500Name("O=Descant,CN=Descant root");
    X509v3CertificateBuilder rootBuilder = certificate(names, names, root.getPublic());
    var extensions = new JcaX509ExtensionUtils();
    rootBuilder
        .addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
        .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign))
        .addExtension(
            Extension.subjectKeyIdentifier,
            false,
            extensions.createSubjectKeyIdentifier(root.getPublic()));

    X509v3CertificateBuilder leafBuilder =
        certificate(
            names, new X500Name("O=Descant,CN=Descant content credentials"), leaf.getPublic());
    leafBuilder
        .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
        .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
        .addExtension(
            Extension.extendedKeyUsage,
            false,
            new ExtendedKeyUsage(KeyPurposeId.id_kp_emailProtection))
        .addExtension(
            Extension.subjectKeyIdentifier,
            false,
            extensions.createSubjectKeyIdentifier(leaf.getPublic()))
        .addExtension(
            Extension.authorityKeyIdentifier,
            false,
            extensions.createAuthorityKeyIdentifier(root.getPublic()));

    ContentSigner signer = new JcaContentSignerBuilder("SHA256withECDSA").build(root.getPrivate());
    var converter = new JcaX509CertificateConverter();
    var certificates =
        List.of(
            encoded(converter.getCertificate(leafBuilder.build(signer))),
            encoded(converter.getCertificate(rootBuilder.build(signer))));
    return pem(
        Map.of(
            "PRIVATE KEY", List.of(leaf.getPrivate().getEncoded(), log.getPrivate().getEncoded()),
            "PUBLIC KEY", List.of(log.getPublic().getEncoded()),
            "CERTIFICATE", certificates));
  }

  private static X509v3CertificateBuilder certificate(
      X500Name issuer, X500Name subject, PublicKey key) {
    Instant now = Instant.now();
    return new JcaX509v3CertificateBuilder(
        issuer,
        new BigInteger(127, new SecureRandom()).setBit(126),
        Date.from(now.minus(Duration.ofHours(1))),
        Date.from(now.plus(LIFETIME)),
        subject,
        key);
  }

  private static KeyPair ecKeyPair() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static String pem(Map<String, List<byte[]>> objects) {
    var text = new StringWriter();
    try (var writer = new PemWriter(text)) {
      for (String type : List.of("CERTIFICATE", "PRIVATE KEY", "PUBLIC KEY")) {
        for (byte[] content : objects.getOrDefault(type, List.of())) {
          writer.writeObject(new PemObject(type, content));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  private static SigningKey parse(String text) throws IOException, GeneralSecurityException {
    var objects = new HashMap<String, List<byte[]>>();
    try (var reader = new PemReader(new StringReader(text))) {
      for (PemObject object = reader.readPemObject();
          object != null;
          object = reader.readPemObject()) {
        objects.computeIfAbsent(object.getType(), _ -> new ArrayList<>()).add(object.getContent());
      }
    }
    List<byte[]> certificates = objects.getOrDefault("CERTIFICATE", List.of());
    List<byte[]> privateKeys = objects.getOrDefault("PRIVATE KEY", List.of());
    List<byte[]> publicKeys = objects.getOrDefault("PUBLIC KEY", List.of());
    if (certificates.size() != CERTIFICATES || privateKeys.size() != 2 || publicKeys.size() != 1) {
      throw new GeneralSecurityException("expected two certificates and three keys");
    }

    var chain = new ArrayList<X509Certificate>();
    var factory = CertificateFactory.getInstance("X.509");
    for (byte[] certificate : certificates) {
      chain.add(
          (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(certificate)));
    }
    var credentialKey =
        (ECPrivateKey)
            KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(privateKeys.get(0)));
    KeyFactory ed = KeyFactory.getInstance("Ed25519");
    var logKey = (EdECPrivateKey) ed.generatePrivate(new PKCS8EncodedKeySpec(privateKeys.get(1)));
    byte[] spki = ed.generatePublic(new X509EncodedKeySpec(publicKeys.get(0))).getEncoded();
    byte[] raw = Arrays.copyOfRange(spki, spki.length - 32, spki.length);
    return new SigningKey(credentialKey, chain, logKey, raw);
  }

  private static byte[] encoded(X509Certificate certificate) {
    try {
      return certificate.getEncoded();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("a parsed certificate has an encoding", e);
    }
  }
}
