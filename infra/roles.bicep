// What the monitor may read in one subscription, and nothing else: for the team that owns what is watched.
//
// Deploy it once in each subscription that holds a registry, a storage account or a key vault of the transfers,
// each time with the same lists. It takes of them what lies in its own subscription. Whoever deploys it needs
// Microsoft.Authorization/roleDefinitions/write and roleAssignments/write there, and Microsoft.Resources/deployments/*:
// Owner, or User Access Administrator beside a role that may deploy, since it does not allow that itself.
targetScope = 'subscription'

@description('Object id of the identity that is to read: MONITOR_IDENTITY_PRINCIPAL_ID of the main deployment.')
param principalId string

@description('What the identity is. Group and User give people who use the command line the same rights.')
@allowed(['ServicePrincipal', 'Group', 'User'])
param principalType string = 'ServicePrincipal'

@description('Resource ids of the registries to watch, or /subscriptions/<id> for every registry of a subscription (MONITORED_REGISTRIES).')
param registryIds string[]

@description('Those of the registries whose role assignment mode is "RBAC Registry + ABAC Repository Permissions": AcrPull counts for nothing there.')
param repositoryPermissionRegistryIds string[] = []

@description('Resource ids of the transfer containers: <storage account id>/blobServices/default/containers/<name>.')
param containerIds string[] = []

@description('Resource ids of storage accounts to read the settings of, beside those of the containers (STORAGE_ACCOUNTS).')
param storageAccountIds string[] = []

@description('Resource ids of the key vaults that hold SAS tokens (KEY_VAULTS).')
param vaultIds string[] = []

@description('Resource ids of the secrets that hold SAS tokens: <vault id>/secrets/<name>. Read only where sasInspection is "value".')
param secretIds string[] = []

@description('The app setting SAS_INSPECTION. Only "value" gives the right to read secrets.')
@allowed(['none', 'metadata', 'value'])
param sasInspection string = 'metadata'

@description('Whether blobs may be looked at. The role also lets them be downloaded; without it, what they hold stays open (ACRT901).')
param readBlobs bool = true

@description('Whether tags, manifests and layers may be looked at. The role also lets images be pulled; without it, they stay open (ACRT901).')
param readArtifacts bool = true

@description('Whether the activity log and role definitions of the subscription may be read. Without it, the reason of a rejected write, and rights on vaults and containers with roles, stay open (ACRT901).')
param readSubscription bool = true

@description('Whether to define roles with just the rights that the monitor uses. False takes the built-in role Reader instead, where custom roles may not be made.')
param customRoles bool = true

var roles = loadJsonContent('role-ids.json')
var thisSubscription = subscription().id
var here = toLower(thisSubscription)

var registries = filter(map(registryIds, id => toLower(trim(id))), id => startsWith('${id}/', '${here}/'))
var wholeSubscription = contains(registries, here)
var ownRegistries = union([], filter(registries, id => id != here))
var byRepository = map(repositoryPermissionRegistryIds, id => toLower(trim(id)))
var containers = union([], filter(map(containerIds, id => toLower(trim(id))), id => startsWith(id, '${here}/')))
var storageAccounts = union(
  map(containers, id => join(take(split(id, '/'), 9), '/')),
  filter(map(storageAccountIds, id => toLower(trim(id))), id => startsWith(id, '${here}/'))
)
var secrets = union([], filter(map(secretIds, id => toLower(trim(id))), id => startsWith(id, '${here}/')))
var vaults = union(
  map(secrets, id => join(take(split(id, '/'), 9), '/')),
  filter(map(vaultIds, id => toLower(trim(id))), id => startsWith(id, '${here}/'))
)

// Exactly what the readers in shared/azure ask Azure Resource Manager for at registries, accounts and vaults.
resource resourceReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (customRoles) {
  name: guid(thisSubscription, 'acr-transfer-monitor-reader')
  properties: {
    // Names of custom roles are unique in a tenant, and this one is defined in each subscription.
    roleName: 'ACR Transfer Monitor Reader (${subscription().subscriptionId})'
    description: 'Reads registries, transfer pipelines and runs, and the settings of the vaults and storage accounts that they use.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          // The registry: its tier, policies and login server.
          'Microsoft.ContainerRegistry/registries/read'
          // Pipelines: identity, options, where the token and the container are.
          'Microsoft.ContainerRegistry/registries/exportPipelines/read'
          'Microsoft.ContainerRegistry/registries/importPipelines/read'
          // Runs: state, error message, artifacts.
          'Microsoft.ContainerRegistry/registries/pipelineRuns/read'
          // The account: firewall, shared keys allowed, age of the keys (never the keys).
          'Microsoft.Storage/storageAccounts/read'
          // The container: whether it is there, immutability.
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
          // The vault: firewall, access policies, role mode.
          'Microsoft.KeyVault/vaults/read'
          // Dates of a secret (never its value).
          'Microsoft.KeyVault/vaults/secrets/read'
          // Whether the pipeline's identity holds the role that it needs on the vault or the container.
          'Microsoft.Authorization/roleAssignments/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [thisSubscription]
  }
}

// What can only be asked of the subscription itself. It shows no resource.
resource subscriptionReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (customRoles && readSubscription) {
  name: guid(thisSubscription, 'acr-transfer-monitor-subscription-reader')
  properties: {
    roleName: 'ACR Transfer Monitor Subscription Reader (${subscription().subscriptionId})'
    description: 'Reads the activity log, for the reason of a rejected write, and what a role permits.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          // What a role permits: role definitions are kept at the subscription.
          'Microsoft.Authorization/roleDefinitions/read'
          // What ARM answered to a write that left no run behind.
          'Microsoft.Insights/eventtypes/values/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [thisSubscription]
  }
}

var builtInReaderId = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.reader.id)
var readerRoleId = customRoles ? resourceReader.id : builtInReaderId
var subscriptionRoleId = customRoles ? subscriptionReader.id : builtInReaderId

// Where Reader is given on the whole subscription below, it holds these rights as well.
resource readsSubscription 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (readSubscription && (customRoles || !wholeSubscription)) {
  name: guid(thisSubscription, principalId, subscriptionRoleId)
  properties: {
    roleDefinitionId: subscriptionRoleId
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: reads why a write was rejected, and what the roles of pipelines permit.'
  }
}

// Only for MONITORED_REGISTRIES=/subscriptions/<id>: every registry, also those to come.
resource readsEveryRegistry 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (wholeSubscription) {
  name: guid(thisSubscription, principalId, readerRoleId)
  properties: {
    roleDefinitionId: readerRoleId
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: reads every registry of the subscription, with the vaults and accounts of its pipelines.'
  }
}

resource pullsFromEveryRegistry 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (wholeSubscription && readArtifacts) {
  name: guid(thisSubscription, principalId, roles.acrPull.id)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull.id)
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: checks which tags, manifests and layers are there.'
  }
}

module registryRoles 'modules/roles-registry.bicep' = [
  for id in union(ownRegistries, filter(byRepository, id => startsWith(id, '${here}/'))): {
    name: 'acrtm-roles-${uniqueString(id, principalId)}'
    scope: resourceGroup(split(id, '/')[4])
    params: {
      registryName: split(id, '/')[8]
      principalId: principalId
      principalType: principalType
      readerRoleId: readerRoleId
      pull: !readArtifacts ? 'None' : contains(byRepository, id) ? 'Repository' : 'Registry'
    }
  }
]

module storageRoles 'modules/roles-storage.bicep' = [
  for id in storageAccounts: {
    name: 'acrtm-roles-${uniqueString(id, principalId)}'
    scope: resourceGroup(split(id, '/')[4])
    params: {
      accountName: split(id, '/')[8]
      containerNames: map(filter(containers, container => readBlobs && startsWith(container, '${id}/')), container => last(split(container, '/')))
      principalId: principalId
      principalType: principalType
      readerRoleId: readerRoleId
    }
  }
]

module vaultRoles 'modules/roles-vault.bicep' = [
  for id in vaults: {
    name: 'acrtm-roles-${uniqueString(id, principalId)}'
    scope: resourceGroup(split(id, '/')[4])
    params: {
      vaultName: split(id, '/')[8]
      secretNames: map(filter(secrets, secret => sasInspection == 'value' && startsWith(secret, '${id}/')), secret => last(split(secret, '/')))
      principalId: principalId
      principalType: principalType
      readerRoleId: readerRoleId
    }
  }
]

@description('Id of the role that reads the watched resources.')
output READER_ROLE_ID string = readerRoleId

@description('Registries of this subscription that roles were given on, in lower case.')
output REGISTRIES string[] = ownRegistries

@description('Storage accounts of this subscription that roles were given on, in lower case.')
output STORAGE_ACCOUNTS string[] = storageAccounts

@description('Key vaults of this subscription that roles were given on, in lower case.')
output KEY_VAULTS string[] = vaults
