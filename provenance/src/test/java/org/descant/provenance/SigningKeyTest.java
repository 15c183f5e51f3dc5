package org.descant.provenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.Signature;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SigningKeyTest {
  @TempDir Path home;

  @Test
  void theSecondLoadGivesTheSameKeys() {
    SigningKey first = SigningKey.loadOrCreate(home);
    SigningKey second = SigningKey.loadOrCreate(home);
    byte[] message = "message".getBytes(StandardCharsets.UTF_8);
    assertThat(second.chain()).isEqualTo(first.chain());
    assertThat(second.signCredential(message)).isEqualTo(first.signCredential(message));
    assertThat(second.signLog(message)).isEqualTo(first.signLog(message));
  }

  @Test
  void onlyTheOwnerMayReadTheFile() throws Exception {
    SigningKey.loadOrCreate(home);
    assertThat(Files.getPosixFilePermissions(home.resolve("keys/signing.pem")))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
  }

  @Test
  void credentialSignaturesVerifyWithTheJdk() throws Exception {
    SigningKey key = SigningKey.loadOrCreate(home);
    Signature verifier = Signature.getInstance("SHA256withECDSAinP1363Format");
    for (int i = 0; i < 300; i++) {
      byte[] message = {(byte) i, (byte) (i >> 8)};
      verifier.initVerify(key.leaf().getPublicKey());
      verifier.update(message);
      assertThat(verifier.verify(key.signCredential(message))).isTrue();
    }
    key.leaf().verify(key.root().getPublicKey());
  }

  @Test
  void threadsAndProcessesAtOnceGetTheSameKeys() throws Exception {
    var processes = new ArrayList<Process>();
    for (int i = 0; i < 3; i++) {
      processes.add(
          ChildProcess.start(SigningKeyTest.class, home.resolve("out" + i), home.toString()));
    }
    var roots = new HashSet<String>();
    Callable<String> load = () -> SigningKey.loadOrCreate(home).rootPem();
    try (var threads = Executors.newFixedThreadPool(4)) {
      for (var root : threads.invokeAll(java.util.Collections.nCopies(8, load))) {
        roots.add(root.get());
      }
    }
    for (int i = 0; i < 3; i++) {
      assertThat(processes.get(i).waitFor()).isZero();
      roots.add(Files.readString(home.resolve("out" + i)));
    }
    assertThat(roots).hasSize(1);
  }

  public static void main(String[] arguments) {
    System.out.print(SigningKey.loadOrCreate(Path.of(arguments[0])).rootPem());
  }

  @Test
  void aDamagedFileIsNamedAndNotReplaced() throws Exception {
    SigningKey.loadOrCreate(home);
    Path file = home.resolve("keys/signing.pem");
    Files.writeString(file, Files.readString(file).substring(0, 700));
    byte[] damaged = Files.readAllBytes(file);
    assertThatThrownBy(() -> SigningKey.loadOrCreate(home))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("signing.pem")
        .hasMessageContaining("backup");
    assertThat(Files.readAllBytes(file)).isEqualTo(damaged);
  }
}
