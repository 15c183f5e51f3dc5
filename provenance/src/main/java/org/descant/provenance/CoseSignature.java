package org.descant.provenance;

import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.cert.jcajce.JcaX509CertificateHolder;
import org.jspecify.annotations.Nullable;

/** A COSE_Sign1 (RFC 9052) with a detached payload and its certificate chain, as C2PA uses it. */
final class CoseSignature {
  static final long TAG = 18;
  static final long ALGORITHM = 1;
  static final long X5CHAIN = 33;
  static final long ES256 = -7;

  private static final int CHAIN_MAX = 10;
  private static final String EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
  private static final String DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36";
  private static final String C2PA_SIGNING = "1.3.6.1.4.1.62558.2.1";

  private final byte[] header;
  private final long algorithm;
  private final byte[] signature;
  private final List<X509Certificate> chain;

  private CoseSignature(
      byte[] header, long algorithm, byte[] signature, List<X509Certificate> chain) {
    this.header = header;
    this.algorithm = algorithm;
    this.signature = signature;
    this.chain = chain;
  }

  /** Signs with ES256; the chain goes into the protected header, the other header stays empty. */
  static byte[] sign(SigningKey key, byte[] payload) {
    var chain = new ArrayList<Object>();
    try {
      for (X509Certificate certificate : key.chain()) {
        chain.add(certificate.getEncoded());
      }
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("a parsed certificate has an encoding", e);
    }
    byte[] header = Cbor.encode(Map.of(ALGORITHM, ES256, X5CHAIN, chain));
    byte[] signature = key.signCredential(signedBytes(header, payload));
    return Cbor.encode(new Cbor.Tagged(TAG, List.of(header, Map.of(), Cbor.Null.NULL, signature)));
  }

  /** What the signature covers (RFC 9052 §4.4). */
  private static byte[] signedBytes(byte[] header, byte[] payload) {
    return Cbor.encode(List.of("Signature1", header, new byte[0], payload));
  }

  static CoseSignature parse(byte[] bytes) throws Malformed {
    Object cose = Cbor.decode(bytes);
    if (cose instanceof Cbor.Tagged tagged) {
      if (tagged.tag() != TAG) {
        throw new Malformed("the signature is of unknown kind");
      }
      cose = tagged.value();
    }
    List<?> parts = Cbor.list(cose, "signature");
    if (parts.size() != 4 || parts.get(2) != Cbor.Null.NULL) {
      throw new Malformed("the signature does not have its four parts, the third of them null");
    }
    byte[] header = Cbor.bytes(parts.get(0), "signature header");
    Map<?, ?> known = Cbor.map(Cbor.decode(header), "signature header");
    return new CoseSignature(
        header,
        Cbor.integer(known.get(ALGORITHM), "signature algorithm"),
        Cbor.bytes(parts.get(3), "signature"),
        chain(known, Cbor.map(parts.get(1), "unprotected header")));
  }

  /** The chain is under 33; older writers gave it a name, or left it unprotected. */
  private static List<X509Certificate> chain(Map<?, ?> header, Map<?, ?> unprotected)
      throws Malformed {
    Object value =
        Stream.of(header, unprotected)
            .flatMap(
                map -> Stream.of(X5CHAIN, "x5chain").map(key -> Optional.ofNullable(map.get(key))))
            .flatMap(Optional::stream)
            .map(Object.class::cast)
            .findFirst()
            .orElseThrow(() -> new Malformed("no certificate is with the signature"));
    List<?> encoded = value instanceof List<?> several ? several : List.of(value);
    if (encoded.isEmpty() || encoded.size() > CHAIN_MAX) {
      throw new Malformed("the certificate chain has %d links".formatted(encoded.size()));
    }
    var chain = new ArrayList<X509Certificate>();
    try {
      var factory = CertificateFactory.getInstance("X.509");
      for (Object one : encoded) {
        byte[] der = Cbor.bytes(one, "certificate");
        chain.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der)));
      }
    } catch (GeneralSecurityException e) {
      throw new Malformed("a certificate cannot be read");
    }
    return chain;
  }

  /** The name in the signing certificate. */
  String signer() {
    return commonName(chain.getFirst());
  }

  /** True if the signature was made over this payload by the key of the first certificate. */
  boolean fits(byte[] payload) throws Malformed {
    try {
      Signature verifier = verifier(algorithm);
      verifier.initVerify(chain.getFirst().getPublicKey());
      verifier.update(signedBytes(header, payload));
      return verifier.verify(signature);
    } catch (GeneralSecurityException _) {
      // A key that does not fit the algorithm, or a signature of another length: not signed.
      return false;
    }
  }

  private static Signature verifier(long algorithm) throws GeneralSecurityException, Malformed {
    return switch ((int) algorithm) {
      case -7 -> Signature.getInstance("SHA256withECDSAinP1363Format");
      case -35 -> Signature.getInstance("SHA384withECDSAinP1363Format");
      case -36 -> Signature.getInstance("SHA512withECDSAinP1363Format");
      case -8 -> Signature.getInstance("Ed25519");
      case -37 -> pss("SHA-256", MGF1ParameterSpec.SHA256, 32);
      case -38 -> pss("SHA-384", MGF1ParameterSpec.SHA384, 48);
      case -39 -> pss("SHA-512", MGF1ParameterSpec.SHA512, 64);
      default -> throw new Malformed("signature algorithm " + algorithm + " is not known");
    };
  }

  private static Signature pss(String hash, MGF1ParameterSpec mask, int saltBytes)
      throws GeneralSecurityException {
    Signature signature = Signature.getInstance("RSASSA-PSS");
    signature.setParameter(new PSSParameterSpec(hash, "MGF1", mask, saltBytes, 1));
    return signature;
  }

  /** What is wrong with the chain at this time, one sentence each. */
  List<String> chainProblems(Instant time) {
    var problems = new ArrayList<String>();
    X509Certificate leaf = chain.getFirst();
    if (leaf.getBasicConstraints() >= 0 || !maySign(leaf)) {
      problems.add("The signing certificate is not made for signing content.");
    }
    Date now = Date.from(time);
    for (int i = 0; i < chain.size(); i++) {
      X509Certificate certificate = chain.get(i);
      if (now.before(certificate.getNotBefore()) || now.after(certificate.getNotAfter())) {
        problems.add(
            "The certificate of %s is not valid today.".formatted(commonName(certificate)));
      }
      if (i > 0
          && (certificate.getBasicConstraints() < i - 1
              || !signed(chain.get(i - 1), certificate))) {
        problems.add(
            "The certificate of %s is not from its issuer."
                .formatted(commonName(chain.get(i - 1))));
      }
    }
    return problems;
  }

  /** True if a trusted certificate is in the chain, or has signed its end. */
  boolean leadsTo(List<X509Certificate> trusted) {
    X509Certificate last = chain.getLast();
    return trusted.stream()
        .anyMatch(anchor ->
            chain.contains(anchor)
                || (anchor.getSubjectX500Principal().equals(last.getIssuerX500Principal())
                    && anchor.getBasicConstraints() >= chain.size() - 1
                    && signed(last, anchor)));
  }

  private static boolean maySign(X509Certificate leaf) {
    try {
      boolean @Nullable [] usage = leaf.getKeyUsage();
      Set<String> purposes =
          Set.copyOf(Optional.ofNullable(leaf.getExtendedKeyUsage()).orElse(List.of()));
      return usage != null
          && usage[0]
          && (purposes.contains(EMAIL_PROTECTION)
              || purposes.contains(DOCUMENT_SIGNING)
              || purposes.contains(C2PA_SIGNING));
    } catch (GeneralSecurityException _) {
      return false;
    }
  }

  private static boolean signed(X509Certificate certificate, X509Certificate issuer) {
    try {
      certificate.verify(issuer.getPublicKey());
      return true;
    } catch (GeneralSecurityException _) {
      return false;
    }
  }

  private static String commonName(X509Certificate certificate) {
    try {
      var names = new JcaX509CertificateHolder(certificate).getSubject().getRDNs(BCStyle.CN);
      return names.length == 0 ? "?" : names[0].getFirst().getValue().toString();
    } catch (GeneralSecurityException | RuntimeException _) {
      return "?";
    }
  }
}
